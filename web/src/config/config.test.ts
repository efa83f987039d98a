import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, configFrom, loadConfig } from './config';

const LEAST = {
  services: { registration: 'https://r.example/', notifications: 'https://n.example', metering: 'http://127.0.0.1:8105' },
  sign_in: { issuer: 'https://id.example', client_id: 'portal' },
};

afterEach(() => vi.unstubAllGlobals());

describe('config.json', () => {
  it('needs three services, an issuer and a client', () => {
    expect(configFrom(LEAST)).toEqual({
      services: { registration: 'https://r.example', notifications: 'https://n.example', metering: 'http://127.0.0.1:8105' },
      signIn: {
        issuer: 'https://id.example',
        clientId: 'portal',
        buyerScope: 'openid profile email buyer',
        operatorScope: 'openid profile email operator',
        audience: null,
        resource: null,
      },
      awsMarketplaceUrl: 'https://console.aws.amazon.com/marketplace/home#/subscriptions',
      brand: { seller: 'Marketplane', logo: null, supportEmail: null, supportUrl: null },
    });
  });

  it.each([
    [{ ...LEAST, services: { registration: 'https://r.example' } }, 'services.notifications is missing'],
    [{ ...LEAST, services: { ...LEAST.services, metering: 'javascript:alert(1)' } }, 'services.metering is no address'],
    [{ ...LEAST, sign_in: { issuer: 'https://id.example' } }, 'sign_in.client_id is missing'],
    [{ services: LEAST.services }, 'sign_in is missing'],
    [{ ...LEAST, brand: { seller: 5 } }, 'brand.seller is missing'],
    [[], 'no object'],
  ])('names what is wrong: %#', (document, words) => {
    expect(() => configFrom(document)).toThrow(ConfigError);
    expect(() => configFrom(document)).toThrow(words);
  });

  it('says when it is not there', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('', { status: 404 })));
    await expect(loadConfig()).rejects.toThrow('config.json was answered with 404.');
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('<!doctype html>')));
    await expect(loadConfig()).rejects.toThrow('could not be read');
  });
});
