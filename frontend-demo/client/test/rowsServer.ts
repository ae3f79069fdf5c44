/** Rows of a list, the messages about them, and a server that sends any sequence of them. */
import fc from 'fast-check';
import type { Change, ChangeKind } from '../src/message';
import { LiveRows } from '../src/rows';

export type Row = { id: string; version: number; rank: number };

export const window = { limit: 3, order: (a: Row, b: Row) => a.rank - b.rank };

export function row(id: string, version = 1, rank = 0): Row {
  return { id, version, rank };
}

export function message(
  kind: ChangeKind,
  object: Row | null = null,
  id = object?.id ?? null,
): Change<Row> {
  return { kind, cursor: 'c', id, object, last: false };
}

export function apply(rows: LiveRows<Row>, ...changes: Change<Row>[]): LiveRows<Row> {
  changes.forEach((change) => rows.apply(change));
  return rows;
}

export function live(...snapshot: Row[]): LiveRows<Row> {
  const rows = new LiveRows(window);
  rows.startSnapshot();
  return apply(rows, ...snapshot.map((each) => message('SNAPSHOT', each)), message('READY'));
}

export function ids(rows: LiveRows<Row>): string[] {
  return rows.sorted().map(({ id }) => id);
}

/** A server with the rows that match a filter, which sends messages as Ostinato does. */
export class Server {
  readonly matching = new Map<string, Row>();
  #version = 0;

  sorted(): Row[] {
    return [...this.matching.values()].sort((a, b) => window.order(a, b) || (a.id < b.id ? -1 : 1));
  }

  /** Write a row. Its newest state may be sent twice, once for each of two events. */
  change(id: string, rank: number, again: boolean): Change<Row>[] {
    const changed = row(id, ++this.#version, rank);
    this.matching.set(id, changed);
    return again
      ? [message('CHANGED', changed), message('CHANGED', changed)]
      : [message('CHANGED', changed)];
  }

  leave(id: string, deleted: boolean): Change<Row>[] {
    const gone = this.matching.get(id);
    if (!this.matching.delete(id)) return [];
    return [message('LEFT', deleted || !gone ? null : { ...gone, version: ++this.#version }, id)];
  }

  /** Delete a row without a message, as a purge does, which only a snapshot shows. */
  purge(id: string): void {
    this.matching.delete(id);
  }

  snapshot(first: number): Change<Row>[] {
    const sent = this.sorted()
      .slice(0, first)
      .map((each) => message('SNAPSHOT', each));
    return [...sent, message('READY')];
  }
}

export type Step = (server: Server) => Change<Row>[];

export const id = fc.constantFrom(...'abcdefgh');
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(id, fc.nat(9), fc.boolean()).map(
      ([key, rank, again]): Step =>
        (server) =>
          server.change(key, rank, again),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(id, fc.boolean()).map(
      ([key, deleted]): Step =>
        (server) =>
          server.leave(key, deleted),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>(() => [message('CHECKPOINT')]) },
  { weight: 1, arbitrary: fc.constant<Step>(() => [message('READY')]) }, // resumed
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(id, { maxLength: 2 }), fc.integer({ min: 3, max: 9 }), fc.boolean())
      .map(([purged, first, reset]): Step => (server) => {
        purged.forEach((key) => server.purge(key));
        const snapshot = server.snapshot(first);
        // Without RESET and without rows, READY means that the subscription was resumed.
        return reset || snapshot.length === 1 ? [message('RESET'), ...snapshot] : snapshot;
      }),
  },
);
