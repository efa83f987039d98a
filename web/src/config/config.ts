/** The runtime configuration: `config.json` beside `index.html`, so that the same built files serve anywhere. */

export interface Config {
  readonly services: Readonly<Record<'registration' | 'notifications' | 'metering', string>>;
  readonly signIn: {
    readonly issuer: string;
    readonly clientId: string;
    readonly buyerScope: string;
    readonly operatorScope: string;
    readonly audience: string | null;
    readonly resource: string | null;
  };
  readonly awsMarketplaceUrl: string;
  readonly brand: {
    readonly seller: string;
    readonly logo: string | null;
    readonly supportEmail: string | null;
    readonly supportUrl: string | null;
  };
}

export class ConfigError extends Error {}

type Fields = Record<string, unknown>;

/**
 * Reads what `config.json` says. The keys are described in web/README.md.
 *
 * @throws ConfigError a key is missing or is no text, or an address is none; the message names it.
 */
export function configFrom(document: unknown): Config {
  const all = fields(document, '');
  const services = fields(all.services, 'services');
  const signIn = fields(all.sign_in, 'sign_in');
  const brand = fields(all.brand ?? {}, 'brand');
  return {
    services: {
      registration: address(services.registration, 'services.registration'),
      notifications: address(services.notifications, 'services.notifications'),
      metering: address(services.metering, 'services.metering'),
    },
    signIn: {
      issuer: address(signIn.issuer, 'sign_in.issuer'),
      clientId: text(signIn.client_id, 'sign_in.client_id'),
      buyerScope: optional(signIn.buyer_scope, 'sign_in.buyer_scope') ?? 'openid profile email buyer',
      operatorScope: optional(signIn.operator_scope, 'sign_in.operator_scope') ?? 'openid profile email operator',
      audience: optional(signIn.audience, 'sign_in.audience'),
      resource: optional(signIn.resource, 'sign_in.resource'),
    },
    awsMarketplaceUrl: address(
      all.aws_marketplace_url ?? 'https://console.aws.amazon.com/marketplace/home#/subscriptions',
      'aws_marketplace_url',
    ),
    brand: {
      seller: optional(brand.seller, 'brand.seller') ?? 'Marketplane',
      logo: optional(brand.logo, 'brand.logo'),
      supportEmail: optional(brand.support_email, 'brand.support_email'),
      supportUrl: optional(brand.support_url, 'brand.support_url'),
    },
  };
}

/**
 * Fetches the configuration from beside the page.
 *
 * @throws ConfigError it is not there, is no JSON, or does not say what it has to.
 */
export async function loadConfig(): Promise<Config> {
  let document: unknown;
  try {
    const answer = await fetch('./config.json', { cache: 'no-cache' });
    if (!answer.ok) throw new ConfigError(`config.json was answered with ${answer.status}.`);
    document = await answer.json();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('config.json could not be read.');
  }
  return configFrom(document);
}

function fields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new ConfigError(name ? `config.json: ${name} is missing.` : 'config.json is no object.');
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new ConfigError(`config.json: ${name} is missing.`);
}

function optional(value: unknown, name: string): string | null {
  return value === undefined || value === null || value === '' ? null : text(value, name);
}

/** An http(s) address without a slash at its end. */
function address(value: unknown, name: string): string {
  const given = text(value, name);
  if (!/^https?:\/\//.test(given) || !URL.canParse(given)) {
    throw new ConfigError(`config.json: ${name} is no address.`);
  }
  return given.replace(/\/$/, '');
}
