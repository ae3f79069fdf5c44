import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change, ChangeKind } from '../src/message';
import { LiveRows } from '../src/rows';
import type { Page } from '../src/rows';

type Row = { id: string; version: number; rank: number };

const window = { limit: 3, order: (a: Row, b: Row) => a.rank - b.rank };

function row(id: string, version = 1, rank = 0): Row {
  return { id, version, rank };
}

function message(
  kind: ChangeKind,
  object: Row | null = null,
  id = object?.id ?? null,
): Change<Row> {
  return { kind, cursor: 'c', id, object, last: false };
}

function apply(rows: LiveRows<Row>, ...changes: Change<Row>[]): LiveRows<Row> {
  changes.forEach((change) => rows.apply(change));
  return rows;
}

function live(...snapshot: Row[]): LiveRows<Row> {
  const rows = new LiveRows(window);
  rows.startSnapshot();
  return apply(rows, ...snapshot.map((each) => message('SNAPSHOT', each)), message('READY'));
}

function ids(rows: LiveRows<Row>): string[] {
  return rows.sorted().map(({ id }) => id);
}

describe('rows that expire', () => {
  type Timed = Row & { at: string | null };

  test('are those whose instant is over, in every order of changes', () => {
    const instant = fc.integer({ min: 10, max: 40 }).map(String);
    const changed = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), at: fc.option(instant) });
    fc.assert(
      fc.property(fc.array(fc.tuple(changed, instant), { maxLength: 20 }), (steps) => {
        const order = (a: Timed, b: Timed) => a.rank - b.rank;
        const rows = new LiveRows<Timed>({ limit: 9, order, expiresAt: ({ at }) => at });
        rows.startSnapshot();
        rows.apply({ ...message('READY'), object: null });
        const known = new Map<string, Timed>();
        steps.forEach(([{ id, at }, now], index) => {
          const next = { ...row(id, index + 1, index % 3), at };
          rows.apply({ ...message('CHANGED', next), object: next });
          known.set(id, next);
          const gone = [...known.values()].filter((each) => each.at !== null && each.at <= now);
          gone.forEach((each) => known.delete(each.id));
          expect(rows.expire(now)).toBe(gone.length > 0);
          expect(new Set(rows.sorted())).toEqual(new Set(known.values()));
        });
      }),
    );
  });
});

describe('a snapshot', () => {
  test('is shown when it is complete, sorted', () => {
    const rows = new LiveRows(window);
    rows.startSnapshot();
    apply(rows, message('SNAPSHOT', row('a', 1, 2)), message('SNAPSHOT', row('b', 1, 1)));
    expect([ids(rows), rows.isArriving]).toEqual([[], true]);
    apply(rows, message('READY'));
    expect([ids(rows), rows.isArriving]).toEqual([['b', 'a'], false]);
  });

  test.each<[string, ChangeKind[]]>([
    ['announced by RESET', ['RESET', 'SNAPSHOT', 'READY']],
    ['sent again after a reconnect without a cursor', ['SNAPSHOT', 'READY']],
  ])('%s replaces all rows, also those with a higher version', (_, kinds) => {
    const rows = live(row('a', 7), row('b', 7), row('c', 7));
    apply(rows, ...kinds.map((kind) => message(kind, kind === 'SNAPSHOT' ? row('b', 2, 9) : null)));
    expect(rows.sorted()).toEqual([row('b', 2, 9)]);
  });

  test('keeps the previous rows until it is complete', () => {
    const rows = apply(live(row('a')), message('RESET'), message('SNAPSHOT', row('b')));
    expect(ids(rows)).toEqual(['a']);
  });

  test('contains what changed while it arrived', () => {
    const rows = new LiveRows(window);
    rows.startSnapshot();
    apply(rows, message('SNAPSHOT', row('a')), message('SNAPSHOT', row('b')));
    apply(rows, message('LEFT', null, 'a'), message('CHANGED', row('c')), message('READY'));
    expect(ids(rows)).toEqual(['b', 'c']);
  });

  test('that was not requested leaves an empty list after RESET', () => {
    expect(ids(apply(live(row('a')), message('RESET'), message('READY')))).toEqual([]);
  });
});

describe('a change', () => {
  test('adds a row or replaces an older version', () => {
    const rows = apply(
      live(row('a')),
      message('CHANGED', row('a', 2)),
      message('CHANGED', row('b')),
    );
    expect(rows.sorted()).toEqual([row('a', 2), row('b')]);
  });

  test('with an older version is ignored', () => {
    expect(apply(live(row('a', 5)), message('CHANGED', row('a', 4))).sorted()).toEqual([
      row('a', 5),
    ]);
  });

  test('without an object is ignored', () => {
    expect(ids(apply(live(row('a')), message('CHANGED', null, 'a')))).toEqual(['a']);
  });
});

test.each<ChangeKind>(['CHECKPOINT', 'READY'])('%s while resuming keeps every row', (kind) => {
  expect(ids(apply(live(row('a')), message(kind)))).toEqual(['a']);
});

describe('LEFT', () => {
  test('removes a row by its id, or by the id of its messages if it was deleted', () => {
    const rows = live();
    apply(rows, message('CHANGED', row('x'), 'task'), message('CHANGED', row('y'), 'other'));
    apply(rows, message('LEFT', row('y', 2), 'other'), message('LEFT', null, 'task'));
    expect([ids(rows), rows.needsSnapshot]).toEqual([[], false]);
  });

  test('that fits the rows of two owners needs a new snapshot', () => {
    const rows = apply(new LiveRows(window), message('SNAPSHOT', row('x'), 'task'));
    apply(
      rows,
      message('SNAPSHOT', row('y'), 'task'),
      message('READY'),
      message('LEFT', null, 'task'),
    );
    expect(rows.needsSnapshot).toBe(true);
  });
});

describe('a list that is limited', () => {
  const full = () => live(row('a', 1, 1), row('b', 1, 2), row('d', 1, 4), row('e', 1, 5));

  test('keeps the first rows', () => {
    const rows = apply(full(), message('CHANGED', row('c', 1, 3)));
    expect([ids(rows), rows.truncated]).toEqual([['a', 'b', 'c'], true]);
  });

  test('has no gap: a row after a missing one is not added', () => {
    const rows = apply(full(), message('LEFT', null, 'a'), message('CHANGED', row('f', 1, 6)));
    expect(ids(rows)).toEqual(['b', 'd']);
  });

  test('is truncated after a snapshot that fills it, since the server may have more', () => {
    const rows = live(row('a', 1, 1), row('b', 1, 2), row('c', 1, 3));
    apply(rows, message('LEFT', null, 'a'), message('CHANGED', row('e', 1, 5)));
    expect([ids(rows), rows.truncated]).toEqual([['b', 'c'], true]);
  });

  test('drops a row that moves after the missing ones', () => {
    expect(ids(apply(full(), message('CHANGED', row('a', 2, 9))))).toEqual(['b', 'd']);
  });

  test('needs a new snapshot when it is half empty', () => {
    const rows = apply(full(), message('LEFT', null, 'a'));
    expect(rows.needsSnapshot).toBe(false);
    expect(apply(rows, message('LEFT', null, 'b')).needsSnapshot).toBe(true);
  });

  test('needs none while one arrives, nor if it never asked for one', () => {
    const left = ['a', 'b', 'd'].map((id) => message('LEFT', null, id));
    expect(apply(full(), ...left, message('RESET')).needsSnapshot).toBe(false);
    const changes = ['a', 'b', 'c', 'd'].map((id, rank) => message('CHANGED', row(id, 1, rank)));
    const changesOnly = apply(live(), ...changes, ...left, message('LEFT', null, 'c'));
    expect([ids(changesOnly), changesOnly.truncated, changesOnly.needsSnapshot]).toEqual([
      [],
      true,
      false,
    ]);
  });
});

/** A server with the rows that match a filter, which sends messages as Ostinato does. */
class Server {
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

type Step = (server: Server) => Change<Row>[];

const id = fc.constantFrom(...'abcdefgh');
const step: fc.Arbitrary<Step> = fc.oneof(
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

test('any sequence of messages leaves a list without a gap, complete unless it is truncated', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const [server, rows] = [new Server(), live()];
      for (const next of steps) {
        apply(rows, ...next(server));
        const shown = rows.sorted();
        expect(shown).toEqual(server.sorted().slice(0, shown.length));
        expect(shown.length).toBeLessThanOrEqual(window.limit);
        if (!rows.truncated) expect(shown).toEqual(server.sorted());
      }
    }),
    { numRuns: 200 },
  );
});

test('a list that takes a new snapshot whenever it needs one is at least half full', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const [server, rows] = [new Server(), live(row('z', 0, 99))];
      apply(rows, ...server.snapshot(0), message('RESET'), ...server.snapshot(9));
      for (const next of steps) {
        apply(rows, ...next(server));
        if (rows.needsSnapshot) apply(rows, message('RESET'), ...server.snapshot(9));
        const expected = Math.min(server.matching.size, Math.ceil(window.limit / 2));
        expect(rows.sorted().length).toBeGreaterThanOrEqual(expected);
      }
    }),
  );
});

test('an order that contradicts itself leaves no row behind', () => {
  const unsure = { limit: 9, order: (a: Row, b: Row) => a.rank - b.rank };
  const rows = new LiveRows<Row>(unsure);
  const all = [row('a', 1, 3), row('b', 1, NaN), row('c', 1, 1), row('d', 1, NaN), row('e', 1, 2)];
  apply(rows, ...all.map((each) => message('CHANGED', each)));
  apply(rows, ...all.map(({ id }) => message('CHANGED', row(id, 2, NaN))));
  expect(rows.sorted()).toHaveLength(all.length);
  apply(rows, ...all.map(({ id }) => message('LEFT', null, id)));
  expect(rows.sorted()).toEqual([]);
});

describe('a page', () => {
  /** Return the list, and a function that answers its request for a page. */
  function paging() {
    const rows = live(...[1, 2, 3, 4, 5].map((rank) => row('abcde'[rank - 1]!, 1, rank)));
    let answer!: (page: Page<Row>) => void;
    const added = rows.addPages(() => new Promise((resolve) => (answer = resolve)));
    const add = async (...nodes: Row[]) => {
      answer({ nodes, pageInfo: { endCursor: null, hasNextPage: false } });
      await added;
    };
    return { rows, add };
  }

  const late = () => [row('d', 1, 4), row('e', 1, 5)];

  test('adds the rows that were missing, and later changes of them', async () => {
    const { rows, add } = paging();
    await add(...late());
    apply(rows, message('CHANGED', row('f', 1, 6)), message('LEFT', null, 'd'));
    expect([ids(rows), rows.truncated]).toEqual([['a', 'b', 'c', 'e', 'f'], false]);
  });

  test.each<[string, Change<Row>, string[]]>([
    ['changed', message('CHANGED', row('e', 7, 3.5)), ['a', 'b', 'c', 'e', 'd']],
    ['left', message('LEFT', row('d', 2, 4)), ['a', 'b', 'c', 'e']],
    ['was deleted', message('LEFT', null, 'd'), ['a', 'b', 'c', 'e']],
    ['moved out of the window', message('CHANGED', row('a', 2, 9)), ['b', 'c', 'd', 'e', 'a']],
    ['was pushed out of the window', message('CHANGED', row('0', 1, 0)), ['0', 'a', 'b', 'c', 'd', 'e']],
  ])('does not undo what happened while it was read: a row %s', async (_, change, expected) => {
    const { rows, add } = paging();
    apply(rows, change);
    await add(...late());
    expect(ids(rows)).toEqual(expected);
  });

  test('makes room for as many new rows as the window has, and no more', async () => {
    const { rows, add } = paging();
    await add(...late());
    apply(rows, ...[-1, -2, -3].map((rank) => message('CHANGED', row(`n${rank}`, 1, rank))));
    expect([rows.sorted().length, rows.truncated]).toEqual([8, false]);
    apply(rows, message('CHANGED', row('n', 1, -4)));
    expect([rows.sorted().length, rows.truncated]).toEqual([8, true]);
  });
});

/** A server whose messages arrive later than its pages, with a list that reads pages. */
class Reader {
  readonly server = new Server();
  readonly rows = live();
  readonly #messages: Change<Row>[] = [];
  #pages: Promise<void> | null = null;
  #answer: (() => void) | null = null;

  send(messages: Change<Row>[]): void {
    this.#messages.push(...messages);
  }

  receive(count = Infinity): void {
    apply(this.rows, ...this.#messages.splice(0, count));
  }

  /** Read pages of two rows; each is read at once, and arrives with `arrive`. */
  request(): void {
    this.#pages ??= this.rows
      .addPages((after) => {
        const page = this.#page(after);
        return new Promise((resolve) => (this.#answer = () => resolve(page)));
      })
      .finally(() => (this.#pages = null));
  }

  async arrive(): Promise<void> {
    this.#answer?.();
    this.#answer = null;
    for (let turns = 0; turns < 9; turns++) await Promise.resolve();
  }

  /** Receive everything, and read all pages that are requested. */
  async settle(): Promise<void> {
    this.receive();
    while (this.#pages) await this.arrive();
  }

  async loadAll(): Promise<void> {
    while (this.rows.truncated) {
      this.request();
      await this.settle();
    }
  }

  #page(after: string | null): Page<Row> {
    const end = after === null ? null : (JSON.parse(after) as Row);
    const rest = this.server.sorted().filter((each) => end === null || precedes(end, each));
    const nodes = rest.slice(0, 2);
    const endCursor = nodes.length > 0 ? JSON.stringify(nodes.at(-1)) : null;
    return { nodes, pageInfo: { endCursor, hasNextPage: rest.length > 2 } };
  }
}

function precedes(a: Row, b: Row): boolean {
  return (window.order(a, b) || (a.id < b.id ? -1 : Number(a.id > b.id))) < 0;
}

type Act = (reader: Reader) => Promise<void> | void;

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: step.map((next): Act => (reader) => reader.send(next(reader.server))) },
  { weight: 4, arbitrary: fc.nat(4).map((count): Act => (reader) => reader.receive(count)) },
  { weight: 3, arbitrary: fc.constant<Act>((reader) => reader.request()) },
  { weight: 3, arbitrary: fc.constant<Act>((reader) => reader.arrive()) },
);

test('pages among late messages leave no gap, and load every row', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 80, size: 'max' }), async (acts) => {
      const reader = new Reader();
      for (const each of acts) await each(reader);
      await reader.settle();
      const [shown, all] = [reader.rows.sorted(), reader.server.sorted()];
      expect(shown).toEqual(all.slice(0, shown.length));
      if (!reader.rows.truncated) expect(shown).toEqual(all);
      await reader.loadAll();
      expect(reader.rows.sorted()).toEqual(all);
    }),
    { numRuns: 300 },
  );
});

test('rows that newer ones pushed out are read again, from a page before them', async () => {
  const reader = new Reader();
  [...'abcdefg'].forEach((key, rank) => reader.send(reader.server.change(key, rank, false)));
  await reader.settle();
  await reader.loadAll();
  for (const rank of [-1, -2, -3, -4, -5]) reader.send(reader.server.change(`n${-rank}`, rank, false));
  await reader.settle();
  expect(reader.rows.truncated).toBe(true);
  await reader.loadAll();
  expect(reader.rows.sorted()).toEqual(reader.server.sorted());
});
