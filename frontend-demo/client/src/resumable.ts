/**
 * Resumes subscriptions after a lost connection. It wraps a client of graphql-ws or graphql-sse: they
 * subscribe again, but without a cursor.
 */
import { CursorTracker } from './cursorTracker.js';
import { isExpiry, problemsOf, rejectsCursor } from './result.js';
import type { Result } from './result.js';

/** What an operation is sent as. */
export type Payload = { query: string; variables?: Record<string, unknown> | null | undefined };

/** What receives the results. */
export type Sink = {
  next(result: never): void;
  error(error: unknown): void;
  complete(): void;
};

/** A client of graphql-ws or graphql-sse, or anything that subscribes as they do. */
export type Subscribing = {
  // Both clients have types of their own.
  subscribe(payload: any, sink: any, ...rest: any[]): () => void;
};

/**
 * Return the client with a `subscribe` and an `iterate` that resume each subscription which declares
 * the variable `$after`, and passes it to its root field. `cursor` must be selected.
 */
export function resumable<Client extends Subscribing>(client: Client): Client {
  const subscribe = (payload: Payload, sink: Sink, ...rest: unknown[]): (() => void) =>
    canResume(payload)
      ? new Subscription(client, payload, sink, rest).end
      : client.subscribe(payload, sink, ...rest);
  const iterate = (payload: Payload, ...rest: unknown[]) =>
    iterated((sink) => subscribe(payload, sink, ...rest));
  return { ...client, subscribe, iterate };
}

function canResume({ query }: Payload): boolean {
  return /\bsubscription\b/.test(query) && /\$after\b/.test(query);
}

class Subscription {
  readonly #tracker = new CursorTracker();
  readonly #payload: Payload;
  #stop: () => void = () => {};
  #ended = false;

  constructor(
    readonly client: Subscribing,
    payload: Payload,
    readonly sink: Sink,
    readonly rest: unknown[],
  ) {
    const tracker = this.#tracker;
    this.#payload = {
      ...payload,
      /** Read by the client each time it connects. */
      get variables() {
        return tracker.restarted || tracker.cursor !== null
          ? { ...payload.variables, after: tracker.cursor }
          : payload.variables;
      },
    };
    this.#start();
  }

  readonly end = (): void => {
    this.#ended = true;
    this.#stop();
  };

  #start(): void {
    const stop = this.client.subscribe(this.#payload, this.#guarded(), ...this.rest);
    this.#stop = stop;
    if (this.#ended) stop();
  }

  /** Return a sink for one start; it ignores what arrives after the next start. */
  #guarded() {
    let current = true;
    const rejected = (error: unknown): boolean => {
      const over =
        !this.#ended && this.#tracker.cursor !== null && rejectsCursor(problemsOf(error));
      if (over) current = false;
      return over;
    };
    return {
      next: (result: Result) => {
        if (!current || isExpiry(result)) return;
        if (result.data == null && rejected(result.errors)) return this.#restart();
        this.#tracker.track(result);
        this.sink.next(result as never);
      },
      error: (error: unknown) => {
        if (!current) return;
        if (rejected(error)) this.#restart();
        else this.sink.error(error);
      },
      complete: () => {
        if (current) this.sink.complete();
      },
    };
  }

  /** Tell the sink to discard its data, and subscribe without a cursor. */
  #restart(): void {
    this.#stop();
    this.sink.next(this.#tracker.reset() as never);
    if (!this.#ended) this.#start();
  }
}

async function* iterated(subscribe: (sink: Sink) => () => void): AsyncGenerator<never, void> {
  const waiting: never[] = [];
  const state = { over: false, failed: false, error: undefined as unknown };
  let wake = () => {};
  const end = subscribe({
    next: (result) => (waiting.push(result), wake()),
    error: (error) => (Object.assign(state, { over: true, failed: true, error }), wake()),
    complete: () => ((state.over = true), wake()),
  });
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift() as never;
      if (state.failed) throw state.error;
      if (state.over) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    end();
  }
}
