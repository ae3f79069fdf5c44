/** Access to the API: its address from `/config.json`, and the bearer token. */

const STORED_TOKEN = 'ostinato.token';

type Config = { graphqlPath: string; token: string | null };

export type Access = {
  httpUrl: string;
  webSocketUrl: string;
  token: string;
  /** Whether the user pasted the token; otherwise a development server provided it. */
  pasted: boolean;
};

async function readConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`HTTP status ${response.status}.`);
  return (await response.json()) as Config;
}

/** Read the address of the API and the token, which is empty if there is none. */
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

export function forgetToken(): void {
  sessionStorage.removeItem(STORED_TOKEN);
}

export function authorization(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}
