import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChangeKind } from '../src/message';
import { LiveRows } from '../src/rows';
import { Server, apply, ids, live, message, row, step, window } from './rowsServer';
import type { Row } from './rowsServer';

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
