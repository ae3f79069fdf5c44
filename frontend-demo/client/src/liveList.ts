/**
 * A list that is kept current by a subscription. It resumes or restarts the subscription when it
 * ends.
 */
import { LiveError } from './liveError.js';
import { readChange } from './message.js';
import type { Change, LiveData, RowOf, Versioned } from './message.js';
import { rejectsCursor } from './result.js';
import type { Problem } from './result.js';
import { LiveRows } from './rows.js';
import type { Page, Window } from './rows.js';

const RENDER_INTERVAL_MS = 50;
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
const SNAPSHOT_LIMIT = 1_000; // the server's default
const EXPIRY_INTERVAL_MS = 1_000;

/**
 * What a subscription reports to a list. `error` takes a list of GraphQL errors, or any other
 * error.
 */
export type LiveSink<Data> = {
  next(result: { data?: Data | null | undefined; errors?: readonly Problem[] | undefined }): void;
  error(error: unknown): void;
  complete(): void;
};

/**
 * Subscribe, with the cursor in the variable `after` unless it is null; return what unsubscribes.
 */
export type LiveSource<Data> = (after: string | null, sink: LiveSink<Data>) => () => void;

export type LiveOptions<Row> = {
  /** The maximum number of rows, 1,000 by default. */
  limit?: number | undefined;
  /**
   * Compares two rows, as for `sort`; fixed for the life of the list. By default, rows are sorted
   * by `id`.
   */
  order?: ((a: Row, b: Row) => number) | undefined;
  /**
   * When a row is removed without a message, in the server's form: a job's `purgeAt`. Null for never.
   */
  expiresAt?: ((row: Row) => string | null) | undefined;
};

/** A list at one time. It is a new object whenever something changed, at most every 50 ms. */
export type LiveView<Row> = {
  rows: readonly Row[];
  /** `loading` until the first snapshot is complete; `ended` when the only object was deleted. */
  status: 'loading' | 'live' | 'ended';
  /** Why the list may be out of date, null if it is current. The list retries by itself. */
  error: LiveError | null;
  /** Whether there may be more rows than `limit`. */
  truncated: boolean;
  /** How many changes have arrived since the list was created. */
  changes: number;
};

/**
 * The rows of one subscription, for any framework: `subscribe` and `getSnapshot` are those of an
 * external store.
 */
export class LiveList<Data extends LiveData> {
  readonly #source: LiveSource<Data>;
  readonly #rows: LiveRows<RowOf<Data> & Versioned>;
  readonly #expires: boolean;
  readonly #listeners = new Set<() => void>();
  #view: LiveView<RowOf<Data>> = {
    rows: [],
    status: 'loading',
    error: null,
    truncated: false,
    changes: 0,
  };
  #status: LiveView<unknown>['status'] = 'loading';
  #error: LiveError | null = null;
  /** The newest message; null before the first of each start. */
  #newest: Change<unknown> | null = null;
  /** Where to resume; null if a new snapshot is needed. */
  #cursor: string | null = null;
  #changes = 0;
  #failures = 0;
  /** What `loadMore` returned, until it is done. */
  #loading: Promise<void> | null = null;
  #stop: () => void = () => {};
  #nextRender: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #expiry: ReturnType<typeof setInterval> | undefined;

  /** @param source starts the subscription; called for the first listener, and to resume. */
  constructor(source: LiveSource<Data>, options: LiveOptions<RowOf<Data>> = {}) {
    const { limit = SNAPSHOT_LIMIT, order = () => 0, expiresAt } = options;
    if (!(limit >= 1)) throw new RangeError(`limit must be at least 1, got ${limit}`);
    this.#source = source;
    this.#expires = expiresAt !== undefined;
    this.#rows = new LiveRows({ limit, order, expiresAt } as Window<RowOf<Data> & Versioned>);
  }

  readonly getSnapshot = (): LiveView<RowOf<Data>> => this.#view;

  /** Call `listener` after each change. The subscription runs as long as there is a listener. */
  readonly subscribe = (listener: () => void): (() => void) => {
    const own = () => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#end();
    };
  };

  /**
   * Add rows beyond the limit, which `fetch` reads with a query: the same objects in the same order, after
   * a cursor, or the first ones for null. Changes that arrive meanwhile win. The rows are in the next view
   * when the promise resolves; it rejects with the error of `fetch`. The limit grows with the rows, until
   * a new snapshot replaces them. A second call, before the first is done, returns its promise.
   */
  readonly loadMore = (
    fetch: (after: string | null) => Promise<Page<RowOf<Data>>>,
  ): Promise<void> => {
    const read = fetch as (after: string | null) => Promise<Page<RowOf<Data> & Versioned>>;
    this.#loading ??= this.#rows.addPages(read).finally(() => {
      this.#loading = null;
      this.#render();
    });
    return this.#loading;
  };

  #start(): void {
    this.#end();
    if (this.#status === 'ended') return;
    if (this.#expires) this.#expiry = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS);
    if (this.#cursor === null) this.#rows.startSnapshot();
    this.#newest = null;
    let ended = false;
    const ifCurrent =
      <Args extends unknown[]>(act: (...args: Args) => void) =>
      (...args: Args) => {
        if (!ended) act(...args);
      };
    let unsubscribe: (() => void) | null = null;
    this.#stop = () => {
      ended = true;
      unsubscribe?.();
    };
    unsubscribe = this.#source(this.#cursor, {
      next: ifCurrent((result) => this.#receive(result)),
      error: ifCurrent((error) => this.#fail(LiveError.of(error))),
      complete: ifCurrent(() => this.#complete()),
    });
    if (ended) unsubscribe();
  }

  #end(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#expiry);
    this.#stop();
    this.#stop = () => {};
  }

  #receive({ data, errors = [] }: Parameters<LiveSink<Data>['next']>[0]): void {
    let change: Change<RowOf<Data> & Versioned> | null;
    try {
      change = data ? readChange(data) : null;
    } catch (error) {
      return this.#giveUp(error);
    }
    // urql repeats the previous data beside an error that ends the subscription.
    const isNew = change !== null && !(errors.length > 0 && isSame(change, this.#newest));
    if (change && isNew) this.#apply(change, errors);
    else if (errors.length > 0) this.#fail(LiveError.of(errors));
  }

  #apply(change: Change<RowOf<Data> & Versioned>, errors: readonly Problem[]): void {
    this.#newest = change;
    if (change.kind === 'CHANGED' || change.kind === 'LEFT') this.#changes++;
    this.#failures = 0;
    this.#rows.apply(change);
    this.#cursor = this.#rows.isArriving ? null : change.cursor;
    if (!this.#rows.isArriving) this.#status = 'live';
    this.#error = errors.length > 0 ? LiveError.of(errors) : null;
    this.#show();
    if (!this.#rows.needsSnapshot) return;
    this.#cursor = null;
    this.#restart(MIN_RETRY_MS);
  }

  #complete(): void {
    if (!this.#newest?.last) return this.#restart(this.#nextDelay());
    this.#end();
    this.#status = 'ended';
    this.#show();
  }

  #fail(error: LiveError): void {
    if (this.#cursor !== null && rejectsCursor(error.problems)) {
      this.#cursor = null;
      return this.#start();
    }
    this.#error = error;
    this.#restart(this.#nextDelay());
    this.#show();
  }

  /** Stop for an error that no retry can mend. */
  #giveUp(error: unknown): void {
    this.#end();
    this.#error = LiveError.of(error);
    this.#show();
  }

  #restart(delayMs: number): void {
    this.#end();
    this.#retry = setTimeout(() => this.#start(), delayMs);
  }

  #nextDelay(): number {
    const delayMs = Math.min(MIN_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
    return delayMs * (0.75 + Math.random() / 4);
  }

  #expire(): void {
    if (this.#rows.expire(new Date().toISOString())) this.#show();
  }

  #show(): void {
    this.#nextRender ??= setTimeout(() => this.#render(), RENDER_INTERVAL_MS);
  }

  #render(): void {
    clearTimeout(this.#nextRender);
    this.#nextRender = undefined;
    this.#view = {
      rows: this.#rows.sorted(),
      status: this.#status,
      error: this.#error,
      truncated: this.#rows.truncated,
      changes: this.#changes,
    };
    this.#listeners.forEach((listener) => listener());
  }
}

function isSame(change: Change<unknown>, other: Change<unknown> | null): boolean {
  return change.cursor === other?.cursor && change.kind === other.kind && change.id === other.id;
}
