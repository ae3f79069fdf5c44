import { describe, expect, test } from 'vitest';
import { applyChange, emptyRows, startSnapshot } from './merge';
import type { Change, LiveRows } from './merge';

type Row = { id: string; version: number; createdAt: number };

const window = { limit: 3, order: (a: Row, b: Row) => b.createdAt - a.createdAt };

function row(id: string, version = 1, createdAt = 0): Row {
  return { id, version, createdAt };
}

function change(kind: Change<Row>['kind'], entity: Row | null = null): Change<Row> {
  return { kind, id: entity?.id ?? null, entity };
}

function after(changes: Change<Row>[], from: LiveRows<Row> = startSnapshot(emptyRows())) {
  return changes.reduce((state, next) => applyChange(state, next, window), from);
}

function live(...rows: Row[]): LiveRows<Row> {
  return after([...rows.map((each) => change('SNAPSHOT', each)), change('READY')]);
}

describe('a snapshot', () => {
  test('is loading until READY, and live from then on', () => {
    const arriving = after([change('SNAPSHOT', row('a'))]);
    expect(arriving.phase).toBe('loading');
    expect(after([change('READY')], arriving)).toMatchObject({ phase: 'live' });
  });

  test('without rows is live and empty', () => {
    expect(live()).toMatchObject({ phase: 'live', rows: new Map() });
  });

  test('taken again drops the rows that are not in it', () => {
    const again = startSnapshot(live(row('a'), row('b')));
    expect([...again.rows.keys()]).toEqual(['a', 'b']);
    const complete = after([change('SNAPSHOT', row('b')), change('READY')], again);
    expect([...complete.rows.keys()]).toEqual(['b']);
  });

  test('restarted by the server also drops rows that are gone', () => {
    const complete = after([change('SNAPSHOT', row('b')), change('READY')], live(row('a')));
    expect([...complete.rows.keys()]).toEqual(['b']);
  });

  test('keeps a row that was created while it arrived', () => {
    const complete = after([
      change('SNAPSHOT', row('a')),
      change('CHANGED', row('b')),
      change('READY'),
    ]);
    expect([...complete.rows.keys()]).toEqual(['a', 'b']);
  });
});

describe('a change', () => {
  test('adds a row, or replaces it by a newer version', () => {
    const state = after([change('CHANGED', row('a', 2)), change('CHANGED', row('b'))], live(row('a')));
    expect(state.rows.get('a')?.version).toBe(2);
    expect(state.rows.has('b')).toBe(true);
  });

  test('with an older version changes nothing', () => {
    const state = after([change('CHANGED', row('a', 1))], live(row('a', 5)));
    expect(state.rows.get('a')?.version).toBe(5);
  });

  test('without an object changes nothing', () => {
    const before = live(row('a'));
    const state = after([{ kind: 'CHANGED', id: 'a', entity: null }], before);
    expect(state).toEqual(before);
  });

  test('does not modify the previous state', () => {
    const before = live(row('a'));
    after([change('CHANGED', row('b'))], before);
    expect(before.rows.size).toBe(1);
  });
});

test('LEFT removes the row', () => {
  const state = after([{ kind: 'LEFT', id: 'a', entity: null }], live(row('a'), row('b')));
  expect([...state.rows.keys()]).toEqual(['b']);
});

test('CHECKPOINT changes nothing', () => {
  const before = live(row('a'));
  expect(after([change('CHECKPOINT')], before)).toEqual(before);
});

test('a READY after resuming keeps every row', () => {
  const resumed = after([change('READY')], live(row('a')));
  expect([...resumed.rows.keys()]).toEqual(['a']);
});

describe('RESET', () => {
  test('keeps the rows', () => {
    const state = after([change('RESET')], live(row('a')));
    expect(state).toMatchObject({ phase: 'live' });
    expect(state.rows.has('a')).toBe(true);
  });

  test('keeps only the rows of the next snapshot, even if it is empty', () => {
    const from = live(row('a'), row('b'));
    const one = after([change('RESET'), change('SNAPSHOT', row('b')), change('READY')], from);
    expect([...one.rows.keys()]).toEqual(['b']);
    expect(after([change('RESET'), change('READY')], from).rows.size).toBe(0);
  });
});

test('only the first rows by the order are kept', () => {
  const state = live(row('old', 1, 1), row('b', 1, 2), row('c', 1, 3), row('d', 1, 4));
  expect([...state.rows.keys()].sort()).toEqual(['b', 'c', 'd']);
  expect(after([change('CHANGED', row('old', 2, 1))], state).rows.has('old')).toBe(false);
});
