/** What the pages know about the server and the caller: `/config.json` and the bearer token. */

const STORED_TOKEN = 'ostinato.token';

type Config = { graphqlPath: string; token: string | null };

export type Access = {
  httpUrl: string;
  webSocketUrl: string;
  token: string;
  /** Whether the token was pasted here, and not given by a development server. */
  pasted: boolean;
};

async function readConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`The API answered ${response.status}.`);
  return (await response.json()) as Config;
}

/** Read where the API is and who calls; without any token, `token` is empty. */
export async function readAccess(): Promise<Access> {
  const config = await readConfig();
  const httpUrl = new URL(config.graphqlPath, location.href);
  const webSocketUrl = new URL(httpUrl);
  webSocketUrl.protocol = httpUrl.protocol === 'https:' ? 'wss:' : 'ws:';
  return {
    httpUrl: httpUrl.href,
    webSocketUrl: webSocketUrl.href,
    token: config.token ?? sessionStorage.getItem(STORED_TOKEN) ?? '',
    pasted: config.token === null,
  };
}

/** The token to connect with now: a restarted development server may have made a new one. */
export async function freshToken(access: Access): Promise<string> {
  try {
    access.token = (await readAccess()).token || access.token;
  } catch {
    // The socket is already open, so the token in hand is the best one there is.
  }
  return access.token;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(STORED_TOKEN, token.trim().replace(/^Bearer\s+/i, ''));
}

export function forgetToken(): void {
  sessionStorage.removeItem(STORED_TOKEN);
}

export function authorization(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}
