/** The state of the WebSocket, from its own events, for the page to show. */
import type { ClientOptions } from 'graphql-ws';

export type ConnectionState = 'connecting' | 'live' | 'reconnecting' | 'refused';

const REFUSALS = new Set([4401, 4403]);
const PONG_WITHIN_MS = 5_000;

export class Connection {
  state: ConnectionState = 'connecting';
  readonly #listeners = new Set<() => void>();
  #pongDeadline: ReturnType<typeof setTimeout> | undefined;
  #greeted = false;

  /** Handlers for the graphql-ws client. */
  readonly handlers = {
    connecting: () => {
      this.#greeted = false;
    },
    connected: () => {
      this.#greeted = true;
      this.#move('live');
    },
    closed: (event: unknown) => {
      clearTimeout(this.#pongDeadline);
      this.#move(this.#refusedBy(event) ? 'refused' : 'reconnecting');
    },
    ping: (received: boolean) => {
      if (received) return;
      this.#pongDeadline = setTimeout(() => this.onSilence(), PONG_WITHIN_MS);
    },
    pong: (received: boolean) => {
      if (received) clearTimeout(this.#pongDeadline);
    },
  } satisfies ClientOptions['on'];

  /** Called when the server has not answered a ping; the client's owner ends the socket. */
  onSilence: () => void = () => {};

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly read = (): ConnectionState => this.state;

  #refusedBy(event: unknown): boolean {
    return !this.#greeted && event instanceof CloseEvent && REFUSALS.has(event.code);
  }

  #move(state: ConnectionState): void {
    this.state = state;
    this.#listeners.forEach((listener) => listener());
  }
}
