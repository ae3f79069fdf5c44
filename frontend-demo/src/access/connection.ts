/** The state of the WebSocket for the page, derived from the client's events. */
import type { ClientOptions } from 'graphql-ws';

export type ConnectionState = 'connecting' | 'live' | 'reconnecting' | 'refused';

const REJECTION_CODES = new Set([4401, 4403]);
const PONG_TIMEOUT_MS = 5_000;
const MIN_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

export class Connection {
  state: ConnectionState = 'connecting';
  readonly #listeners = new Set<() => void>();
  #pongDeadline: ReturnType<typeof setTimeout> | undefined;
  #acknowledged = false;

  /** Handlers for the graphql-ws client. */
  readonly handlers = {
    connecting: () => {
      this.#acknowledged = false;
    },
    connected: () => {
      this.#acknowledged = true;
      this.#move('live');
    },
    closed: (event: unknown) => {
      clearTimeout(this.#pongDeadline);
      this.#move(this.#refusedBy(event) ? 'refused' : 'reconnecting');
    },
    ping: (received: boolean) => {
      if (received) return;
      this.#pongDeadline = setTimeout(() => this.onSilence(), PONG_TIMEOUT_MS);
    },
    pong: (received: boolean) => {
      if (received) clearTimeout(this.#pongDeadline);
    },
  } satisfies ClientOptions['on'];

  /** Called when a ping gets no pong; the owner of the client closes the socket. */
  onSilence: () => void = () => {};

  /** Connect at once instead of after the wait, if there is one. */
  retryNow: () => void = () => {};

  /** Wait before the next attempt, longer after each failed one, or until `retryNow`. */
  readonly waitToRetry = (retries: number): Promise<void> => {
    const wait = Math.min(MIN_RETRY_MS * 2 ** retries, MAX_RETRY_MS);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait * (0.75 + Math.random() / 2));
      this.retryNow = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly read = (): ConnectionState => this.state;

  #refusedBy(event: unknown): boolean {
    return !this.#acknowledged && event instanceof CloseEvent && REJECTION_CODES.has(event.code);
  }

  #move(state: ConnectionState): void {
    this.state = state;
    this.#listeners.forEach((listener) => listener());
  }
}
