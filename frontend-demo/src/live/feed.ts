/** The rows of a subscription; the GraphQL client resumes it after each reconnect. */
import type { AnyVariables, Client, CombinedError, DocumentInput } from '@urql/core';
import { applyChange, emptyRows, startSnapshot } from './merge';
import type { Change, LiveRows, Versioned, Window } from './merge';

/** The minimum time between two renders. */
const RENDER_INTERVAL_MS = 50;
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

  #start(): void {
    this.#end();
    this.#show({ ...this.#view, live: startSnapshot(this.#view.live) });
    const { document, variables } = this.#source;
    const { unsubscribe } = this.#client
      .subscription(document, variables as AnyVariables)
      .subscribe(({ data, error, hasNext }) => {
        if (error) this.#fail(error);
        else if (!hasNext) this.#restartIn(RETRY_AFTER_MS);
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
    const live = applyChange(this.#view.live, change, this.#source.window);
    this.#show({ live, error: null });
  }

  #fail(error: CombinedError): void {
    this.#show({ ...this.#view, error });
    this.#restartIn(RETRY_AFTER_MS);
  }

  #restartIn(delayMs: number): void {
    this.#end();
    this.#retry = setTimeout(() => this.#start(), delayMs);
  }

  #show(view: FeedView<Entity>): void {
    this.#view = view;
    this.#render ??= setTimeout(() => {
      this.#render = undefined;
      this.#shown = this.#view;
      this.#listeners.forEach((listener) => listener());
    }, RENDER_INTERVAL_MS);
  }
}
