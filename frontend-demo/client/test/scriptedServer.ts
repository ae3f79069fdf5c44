/** A server for tests of real GraphQL clients: the test sends the messages of each subscription. */
import { vi } from 'vitest';
import { LiveList } from '../src/liveList';
import type { LiveSource } from '../src/liveList';
import type { ChangeKind } from '../src/message';

export type Job = { __typename: 'Job'; id: string; version: number; state: string };
export type Data = {
  jobsChanged: { kind: string; cursor: string; jobId: string | null; job: Job | null } | null;
};
export type Variables = { first?: number; after?: string | null };

export const QUERY = `subscription Jobs($first: Int, $after: Cursor) {
  jobsChanged(snapshot: true, first: $first, after: $after) {
    __typename kind cursor jobId job { __typename id version state }
  }
}`;

type Sink = {
  next(result: { data?: unknown; errors?: unknown[]; hasNext?: boolean }): void;
  error(error: unknown): void;
  complete(): void;
};

export class Subscription {
  stopped = false;
  #position = 0;

  constructor(
    readonly variables: unknown,
    readonly sink: Sink,
  ) {}

  send(kind: ChangeKind, id: string | null = null, version = 1, errors?: unknown[]): void {
    const job = id && { __typename: 'Job', id, version, state: `v${version}` };
    const message = {
      __typename: 'JobChange',
      kind,
      cursor: `c${++this.#position}`,
      jobId: id,
      job,
    };
    this.sink.next({ data: { jobsChanged: message }, ...(errors && { errors }) });
  }

  snapshot(...ids: string[]): void {
    ids.forEach((id) => this.send('SNAPSHOT', id));
    this.send('READY');
  }
}

export class ScriptedServer {
  readonly subscriptions: Subscription[] = [];

  get last(): Subscription {
    return this.subscriptions.at(-1)!;
  }

  readonly subscribe = (variables: unknown, sink: Sink): (() => void) => {
    const subscription = new Subscription(variables, sink);
    this.subscriptions.push(subscription);
    return () => void (subscription.stopped = true);
  };
}

/** Return a list that has a listener, after its subscription has reached the server. */
export async function follow(source: LiveSource<Data>) {
  const list = new LiveList(source);
  const end = list.subscribe(() => {});
  await vi.advanceTimersByTimeAsync(0);
  const view = async () => {
    await vi.advanceTimersByTimeAsync(50);
    const { rows, error } = list.getSnapshot();
    return { rows: rows.map(({ id, state }) => `${id} ${state}`), error: error?.message ?? null };
  };
  return { end, view };
}
