/** A source of a live list whose messages the test sends. */
import { vi } from 'vitest';
import { LiveList } from '../src/liveList';
import type { LiveOptions, LiveSink } from '../src/liveList';
import type { ChangeKind } from '../src/message';

export type Job = { id: string; version: number };
export type Message = { kind: ChangeKind; cursor: string; jobId: string | null; job: Job | null };
export type Data = { jobsChanged?: Message | null; jobChanged?: Message | null };

export const LONGEST_RETRY_MS = 30_000;

/** A source whose starts the test answers. */
export class FakeSource {
  /** The cursor of each start. */
  readonly starts: (string | null)[] = [];
  stops = 0;
  sink!: LiveSink<Data>;
  #position = 0;

  readonly start = (after: string | null, sink: LiveSink<Data>) => {
    this.starts.push(after);
    this.sink = sink;
    return () => void this.stops++;
  };

  send(kind: ChangeKind, id: string | null = null, version = 1): void {
    this.sink.next({ data: { jobsChanged: this.message(kind, id, version) } });
  }

  message(kind: ChangeKind, id: string | null = null, version = 1): Message {
    const cursor = `c${++this.#position}`;
    return { kind, cursor, jobId: id, job: id === null ? null : { id, version } };
  }

  snapshot(...ids: string[]): void {
    ids.forEach((id) => this.send('SNAPSHOT', id));
    this.send('READY');
  }
}

export function following(options?: LiveOptions<Job>) {
  const source = new FakeSource();
  const list = new LiveList<Data>(source.start, options);
  const listener = vi.fn();
  const end = list.subscribe(listener);
  const view = () => {
    vi.advanceTimersByTime(50);
    const { rows, changes, ...rest } = list.getSnapshot();
    return { ids: rows.map(({ id }) => id), ...rest };
  };
  return { source, list, listener, end, view };
}
