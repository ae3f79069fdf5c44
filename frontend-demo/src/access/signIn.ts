/**
 * Signs users in by OpenID Connect: authorization code with PKCE. Tokens are kept in memory only, so a
 * reload signs in again, which needs no password while the issuer has a session.
 */
import { ErrorResponse, InMemoryWebStorage, UserManager, WebStorageStateStore } from 'oidc-client-ts';

export type SignInConfig = { issuer: string; clientId: string; scope: string };

/** Set while the user is signed in in this tab: after a reload, the page goes to the issuer by itself. */
const SIGNED_IN = 'ostinato.signedIn';

export class SignIn {
  /** Why the last attempt to sign in failed; null if there was none, or it succeeded. */
  problem: string | null = null;
  readonly #manager: UserManager;

  constructor({ issuer, clientId, scope }: SignInConfig) {
    this.#manager = new UserManager({
      authority: issuer,
      client_id: clientId,
      scope,
      // Without a refresh token, a renewal would need a frame of the issuer, which the page does not allow.
      automaticSilentRenew: scope.split(' ').includes('offline_access'),
      redirect_uri: location.origin + location.pathname,
      post_logout_redirect_uri: location.origin + location.pathname,
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      stateStore: new WebStorageStateStore({ store: sessionStorage }), // the verifier, during the redirect
    });
  }

  /** Sign in as far as that needs no decision of the user. */
  async resume(): Promise<void> {
    const parameters = new URLSearchParams(location.search);
    const isReturning = parameters.has('state') && (parameters.has('code') || parameters.has('error'));
    try {
      if (isReturning) await this.#complete();
      else if (sessionStorage.getItem(SIGNED_IN) !== null) await this.start();
    } catch (error) {
      this.problem = `Signing in failed: ${(error as Error).message}`;
    }
  }

  /** Go to the issuer, which redirects back to this view. Never returns; throws if it is not reachable. */
  async start(): Promise<never> {
    await this.#manager.signinRedirect({ state: location.hash });
    return new Promise(() => {});
  }

  /** Return a valid access token, renewed if the last one has expired; empty if that fails. */
  async token(): Promise<string> {
    const user = await this.#manager.getUser();
    if (!user) return '';
    if (!user.expired) return user.access_token;
    const renewed = await this.#manager.signinSilent().catch(() => null);
    return renewed?.access_token ?? '';
  }

  /** Call with each new access token: they are renewed a minute before they expire. */
  onToken(use: (token: string) => void): void {
    this.#manager.events.addUserLoaded(({ access_token: token }) => use(token));
  }

  /** Do not sign in by itself after the next reload. */
  forget(): void {
    sessionStorage.removeItem(SIGNED_IN);
  }

  /** Sign out, also at the issuer if it supports that. */
  async end(): Promise<void> {
    this.forget();
    const endsSession = await this.#manager.metadataService.getEndSessionEndpoint().catch(() => undefined);
    if (endsSession) return this.#manager.signoutRedirect();
    await this.#manager.removeUser();
    location.reload();
  }

  /** Fetch the tokens after the redirect, and return to the view; throws if the issuer refused. */
  async #complete(): Promise<void> {
    try {
      const user = await this.#manager.signinCallback();
      restoreView(user?.state);
      sessionStorage.setItem(SIGNED_IN, 'yes');
    } catch (error) {
      restoreView(error instanceof ErrorResponse ? error.state : undefined);
      throw error;
    }
  }
}

/** Show the view that the user left to sign in, and remove the parameters of the issuer. */
function restoreView(view: unknown): void {
  history.replaceState(null, '', location.pathname + (typeof view === 'string' ? view : ''));
}
