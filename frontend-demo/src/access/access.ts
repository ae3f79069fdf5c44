/** Access to the API: its address from `config.json`, and the bearer token, if the API uses tokens. */
import type { SignIn, SignInConfig } from './signIn';

const STORED_TOKEN = 'ostinato.token';
const STORED_USER = 'ostinato.user';

/** A user of a development server, whose token the server provides. */
type DevelopmentUser = { name: string; token: string };

type Config = {
  graphqlPath: string;
  token: string | null;
  users: DevelopmentUser[];
  flakyUrl: string | null;
  usesTokens: boolean;
  /** How users sign in; null if they paste a token. */
  signIn: SignInConfig | null;
};

export type Access = {
  httpUrl: string;
  webSocketUrl: string;
  token: string;
  /** Whether the user pasted the token; otherwise a development server provided it. */
  pasted: boolean;
  /** The names of the users that a development server offers; otherwise empty. */
  users: string[];
  /** The address of an API that fails on request, of a development server; otherwise null. */
  flakyUrl: string | null;
  /** Whether the API needs a token; otherwise the browser's cookies identify the user. */
  usesTokens: boolean;
  /** Signs users in at an issuer; null if they paste a token. */
  signIn: SignIn | null;
};

async function readConfig(): Promise<Config> {
  const response = await fetch('config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`HTTP status ${response.status}.`);
  return (await response.json()) as Config;
}

let signIn: Promise<SignIn> | null = null;

/** Return what signs users in. Its code is loaded only if it is needed. */
async function openSignIn({ signIn: config }: Config): Promise<SignIn | null> {
  if (config === null) return null;
  signIn ??= import('./signIn').then(async ({ SignIn }) => {
    const opened = new SignIn(config);
    await opened.resume();
    return opened;
  });
  return signIn;
}

/** Read the address of the API and the token, which is empty if there is none. */
export async function readAccess(): Promise<Access> {
  const config = await readConfig();
  const opened = await openSignIn(config);
  const httpUrl = new URL(config.graphqlPath, location.href);
  const webSocketUrl = new URL(httpUrl);
  webSocketUrl.protocol = httpUrl.protocol === 'https:' ? 'wss:' : 'ws:';
  const stored = sessionStorage.getItem(STORED_USER);
  const provided = config.users.find(({ name }) => name === stored)?.token ?? config.token;
  return {
    httpUrl: httpUrl.href,
    webSocketUrl: webSocketUrl.href,
    token: config.usesTokens ? (provided ?? (await storedToken(opened))) : '',
    pasted: config.usesTokens && config.token === null && opened === null,
    users: config.users.map(({ name }) => name),
    flakyUrl: config.flakyUrl,
    usesTokens: config.usesTokens,
    signIn: opened,
  };
}

async function storedToken(opened: SignIn | null): Promise<string> {
  return opened ? opened.token() : (sessionStorage.getItem(STORED_TOKEN) ?? '');
}

/** Return the current token: a restarted development server may have created a new one. */
export async function freshToken(access: Access): Promise<string> {
  try {
    access.token = (await readAccess()).token || access.token;
  } catch {
    // The server is not reachable: use the token we have.
  }
  return access.token;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(STORED_TOKEN, token.trim().replace(/^Bearer\s+/i, ''));
}

/** Use the token of another user of a development server from now on, in this tab. */
export function chooseUser(name: string): void {
  sessionStorage.setItem(STORED_USER, name);
}

export function forgetToken(): void {
  sessionStorage.removeItem(STORED_TOKEN);
}

/** Return the headers of a request; none without a token. */
export function authorization(token: string): { Authorization?: string } {
  return token === '' ? {} : { Authorization: `Bearer ${token}` };
}
