import { UserManager } from 'oidc-client-ts';

// Hands the answer, which stands in this frame's address, to the page that waits for it.
const nobody = new UserManager({ authority: window.location.origin, client_id: 'none', redirect_uri: window.location.href });
await nobody.signinSilentCallback();

export {};
