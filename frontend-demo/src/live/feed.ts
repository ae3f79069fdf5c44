/** Keeps one subscription's rows, across reconnections and requests to start again. */
import type { AnyVariables, Client, CombinedError, DocumentInput } from '@urql/core';
import { applyChange, emptyRows, startAgain, startSnapshot } from './merge';
import type { Change, LiveRows, Versioned, Window } from './merge';

/** Renders are at least this far apart, however many changes arrive. */
const RENDER_EVERY_MS = 50;
const RETRY_AFTER_MS = 1_000;

export type Source<Data, Entity extends Versioned> = {
  document: DocumentInput<Data, AnyVariables>;
  variables: Record<string, unknown>;
  window: Window<Entity>;
  change: (data: Data) => Change<Entity> | null;
};

export type FeedView<Entity> = { live: LiveRows<Entity>; error: CombinedError | null };

export class Feed<Data, Entity extends Versioned> {
  readonly #client: Client;
  readonly #source: Source<Data, Entity>;
  readonly #listeners = new Set<() => void>();
  #view: FeedView<Entity> = { live: emptyRows(), error: null };
  #shown = this.#view;
  #stop: () => void = () => {};
  #render: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, source: Source<Data, Entity>) {
    this.#client = client;
    this.#source = source;
  }

  readonly read = (): FeedView<Entity> => this.#shown;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#end();
    };
  };

  /** The variables for this moment: with a cursor we resume, without one a snapshot begins. */
  readonly #resume = (): Record<string, unknown> => {
    const { live } = this.#view;
    if (live.cursor !== null) return { after: live.cursor };
    this.#show({ live: startSnapshot(live), error: null });
    return { after: null };
  };

  #start(): void {
    this.#end();
    const { document, variables } = this.#source;
    const { unsubscribe } = this.#client
      .subscription(document, variables as AnyVariables, { resume: this.#resume })
      .subscribe(({ data, error, hasNext }) => {
        if (error) this.#fail(error);
        else if (!hasNext) this.#startIn(RETRY_AFTER_MS);
        else if (data) this.#apply(data);
      });
    this.#stop = unsubscribe;
  }

  #end(): void {
    clearTimeout(this.#retry);
    this.#stop();
    this.#stop = () => {};
  }

  #apply(data: Data): void {
    const change = this.#source.change(data);
    if (!change) return;
    const { live } = this.#view;
    const next = applyChange(live, change, this.#source.window);
    this.#show({ live: next, error: null });
    if (next.generation !== live.generation) this.#startIn(0);
  }

  #fail(error: CombinedError): void {
    const lost = error.graphQLErrors.some(({ extensions }) => extensions['code'] === 'HISTORY_LOST');
    if (lost) {
      this.#show({ live: startAgain(this.#view.live), error: null });
      return this.#startIn(0);
    }
    this.#show({ ...this.#view, error });
    this.#startIn(RETRY_AFTER_MS);
  }

  #startIn(delayMs: number): void {
    this.#end();
    this.#retry = setTimeout(() => this.#start(), delayMs);
  }

  #show(view: FeedView<Entity>): void {
    this.#view = view;
    this.#render ??= setTimeout(() => {
      this.#render = undefined;
      this.#shown = this.#view;
      this.#listeners.forEach((listener) => listener());
    }, RENDER_EVERY_MS);
  }
}
