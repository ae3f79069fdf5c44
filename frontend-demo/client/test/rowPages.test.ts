import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../src/message';
import type { Page } from '../src/rows';
import { Server, apply, ids, live, message, row, step, window } from './rowsServer';
import type { Row } from './rowsServer';

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
