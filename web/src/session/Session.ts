import { ErrorResponse, InMemoryWebStorage, type User, UserManager, WebStorageStateStore } from 'oidc-client-ts';
import type { Config } from '../config/config';

/** As what somebody signs in: each has a scope of its own, and a token holds one of them. */
export type Role = 'buyer' | 'operator';

export interface Person {
  readonly name: string;
  readonly email: string | null;
}

export type SessionState =
  | { readonly kind: 'signed-out'; readonly because: 'not-yet' | 'signed-out' | 'expired' | 'deleted' }
  | { readonly kind: 'failed'; readonly title: string; readonly detail: string }
  | { readonly kind: 'signed-in'; readonly role: Role; readonly person: Person; readonly scopes: readonly string[] };

/** What travels to the provider and back beside the request. */
interface Errand {
  role: Role;
  returnTo: string;
}

/** The hint, for the next load of this tab, that somebody is signed in. It says nothing of who. */
const HINT = 'marketplane.signed-in-as';
const SILENT_SECONDS = 8;

/**
 * Who is signed in, by OpenID Connect: authorisation code with PKCE.
 *
 * Tokens are kept in memory only. The `state` and the verifier of a redirect lie in sessionStorage until the provider
 * has answered. After a reload the memory is empty: the provider is asked again, silently at first.
 */
export class Session {
  private readonly manager: UserManager;
  private readonly scopes: Readonly<Record<Role, string>>;
  private readonly listeners = new Set<() => void>();
  private user: User | null = null;
  private current: SessionState = { kind: 'signed-out', because: 'not-yet' };

  constructor(config: Config, page: string) {
    this.scopes = { buyer: config.signIn.buyerScope, operator: config.signIn.operatorScope };
    this.manager = new UserManager({
      authority: config.signIn.issuer,
      client_id: config.signIn.clientId,
      redirect_uri: page,
      silent_redirect_uri: new URL('silent-callback.html', page).href,
      post_logout_redirect_uri: page,
      response_type: 'code',
      scope: this.scopes.buyer,
      ...(config.signIn.resource === null ? {} : { resource: config.signIn.resource }),
      ...(config.signIn.audience === null ? {} : { extraQueryParams: { audience: config.signIn.audience } }),
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      stateStore: new WebStorageStateStore({ store: window.sessionStorage }),
      // It would not know the role's scope: see renew().
      automaticSilentRenew: false,
      monitorSession: false,
      silentRequestTimeoutInSeconds: SILENT_SECONDS,
    });
    this.manager.events.addAccessTokenExpiring(() => void this.renew());
    this.manager.events.addAccessTokenExpired(() => this.expire());
  }

  get state(): SessionState {
    return this.current;
  }

  /** The token to send to the services, while there is one. */
  get accessToken(): string | null {
    return this.user !== null && this.user.expired !== true ? this.user.access_token : null;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Takes the provider's answer, if this load brings one; else signs in again if somebody was, in this tab. */
  async begin(): Promise<void> {
    const brought = new URLSearchParams(window.location.search);
    if (brought.has('state') && (brought.has('code') || brought.has('error'))) return this.finish();
    if (brought.has('state')) this.cleanAddress(''); // back from signing out
    const role = remembered();
    if (role === null) return;
    try {
      this.take(await this.silently(role), role);
    } catch {
      // The provider does not know the person any more, or forbids frames: it is asked on its own page.
      await this.signIn(role);
    }
  }

  /** Leaves for the provider. When this has been called the page is about to go. */
  async signIn(role: Role): Promise<void> {
    const errand: Errand = { role, returnTo: window.location.hash };
    try {
      await this.manager.signinRedirect({ scope: this.scopes[role], nonce: nonce(), state: errand });
    } catch {
      forget();
      this.become({
        kind: 'failed',
        title: 'Signing in is not possible just now.',
        detail: 'The sign-in service does not answer. Try again in a minute.',
      });
    }
  }

  /** Forgets the token, and ends the provider's own session where it can be ended. */
  async signOut(because: 'signed-out' | 'deleted' = 'signed-out'): Promise<void> {
    const user = this.user;
    this.clear();
    this.become({ kind: 'signed-out', because });
    if (because === 'deleted') return; // a page says what was done
    try {
      if ((await this.manager.metadataService.getEndSessionEndpoint()) !== undefined && user?.id_token !== undefined) {
        await this.manager.signoutRedirect({ id_token_hint: user.id_token });
      }
    } catch {
      // The provider is away. Here nobody is signed in any more, which is what was asked for.
    }
  }

  /** A service did not take the token, or its time is over. */
  expire(): void {
    if (this.current.kind !== 'signed-in') return;
    this.clear();
    this.become({ kind: 'signed-out', because: 'expired' });
  }

  private async finish(): Promise<void> {
    try {
      const user = await this.manager.signinRedirectCallback(window.location.href);
      const errand = user.state as Errand;
      this.cleanAddress(errand.returnTo);
      this.take(user, errand.role);
    } catch (error) {
      const errand = error instanceof ErrorResponse ? (error.state as Errand | undefined) : undefined;
      this.cleanAddress(errand?.returnTo ?? '');
      forget();
      this.become({ kind: 'failed', ...explained(error) });
    }
  }

  private async renew(): Promise<void> {
    if (this.current.kind !== 'signed-in') return;
    const { role } = this.current;
    try {
      this.take(await this.silently(role), role);
    } catch {
      // What there is holds until it expires; then the person is asked.
    }
  }

  private async silently(role: Role): Promise<User> {
    const user = await this.manager.signinSilent({ scope: this.scopes[role], nonce: nonce() });
    if (user === null) throw new Error('The provider answered without a user.');
    return user;
  }

  private take(user: User, role: Role): void {
    this.user = user;
    window.sessionStorage.setItem(HINT, role);
    const { name, preferred_username: username, email, sub } = user.profile;
    this.become({
      kind: 'signed-in',
      role,
      person: { name: name ?? username ?? email ?? sub, email: email ?? null },
      scopes: user.scopes,
    });
  }

  private clear(): void {
    this.user = null;
    forget();
    void this.manager.removeUser();
  }

  private become(state: SessionState): void {
    this.current = state;
    for (const listener of this.listeners) listener();
  }

  /** The answer's code stays neither in the address bar nor in the history. */
  private cleanAddress(hash: string): void {
    window.history.replaceState(null, '', window.location.pathname + hash);
  }
}

function remembered(): Role | null {
  const role = window.sessionStorage.getItem(HINT);
  return role === 'buyer' || role === 'operator' ? role : null;
}

function forget(): void {
  window.sessionStorage.removeItem(HINT);
}

function nonce(): string {
  return crypto.randomUUID();
}

function explained(error: unknown): { title: string; detail: string } {
  if (error instanceof ErrorResponse && error.error === 'access_denied') {
    return { title: 'You are not signed in.', detail: 'The sign-in was stopped before it was finished.' };
  }
  const title = 'Signing in did not succeed.';
  if (error instanceof ErrorResponse) {
    return { title, detail: error.error_description ?? `The sign-in service said: ${error.error ?? 'no reason'}.` };
  }
  return { title, detail: 'The answer of the sign-in service does not fit what this page asked for. Try again.' };
}
