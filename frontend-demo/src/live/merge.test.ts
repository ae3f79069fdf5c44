import { describe, expect, test } from 'vitest';
import { applyChange, emptyRows, startSnapshot } from './merge';
import type { Change, LiveRows } from './merge';

type Row = { id: string; version: number; createdAt: number };

const window = { limit: 3, order: (a: Row, b: Row) => b.createdAt - a.createdAt };

function row(id: string, version = 1, createdAt = 0): Row {
  return { id, version, createdAt };
}

function change(kind: Change<Row>['kind'], cursor: string, entity: Row | null = null): Change<Row> {
  return { kind, cursor, id: entity?.id ?? null, entity };
}

function after(changes: Change<Row>[], from: LiveRows<Row> = startSnapshot(emptyRows())) {
  return changes.reduce((state, next) => applyChange(state, next, window), from);
}

function live(...rows: Row[]): LiveRows<Row> {
  return after([...rows.map((each) => change('SNAPSHOT', 's', each)), change('READY', 'ready')]);
}

describe('a snapshot', () => {
  test('is loading until READY, and live from then on', () => {
    const arriving = after([change('SNAPSHOT', 's1', row('a'))]);
    expect(arriving.phase).toBe('loading');
    expect(after([change('READY', 'r')], arriving)).toMatchObject({ phase: 'live', cursor: 'r' });
  });

  test('without rows is live and empty', () => {
    expect(live()).toMatchObject({ phase: 'live', rows: new Map() });
  });

  test('keeps no cursor before READY, so that a cut snapshot is taken anew', () => {
    expect(after([change('SNAPSHOT', 's1', row('a'))]).cursor).toBeNull();
    expect(after([change('CHANGED', 'c1', row('a'))]).cursor).toBeNull();
  });

  test('taken anew drops the rows that it does not name', () => {
    const again = startSnapshot(live(row('a'), row('b')));
    expect([...again.rows.keys()]).toEqual(['a', 'b']);
    const complete = after([change('SNAPSHOT', 's', row('b')), change('READY', 'r')], again);
    expect([...complete.rows.keys()]).toEqual(['b']);
  });

  test('that the server restarts by itself drops what is gone, too', () => {
    const complete = after([change('SNAPSHOT', 's', row('b')), change('READY', 'r')], live(row('a')));
    expect([...complete.rows.keys()]).toEqual(['b']);
  });

  test('keeps a row that was created while it arrived', () => {
    const complete = after([
      change('SNAPSHOT', 's', row('a')),
      change('CHANGED', 'c', row('b')),
      change('READY', 'r'),
    ]);
    expect([...complete.rows.keys()]).toEqual(['a', 'b']);
  });
});

describe('a change', () => {
  test('adds a row, or replaces it by a newer version', () => {
    const state = after([change('CHANGED', 'c', row('a', 2)), change('CHANGED', 'd', row('b'))], live(row('a')));
    expect(state.rows.get('a')?.version).toBe(2);
    expect(state.rows.has('b')).toBe(true);
  });

  test('with an older version changes nothing but the cursor', () => {
    const state = after([change('CHANGED', 'c', row('a', 1))], live(row('a', 5)));
    expect(state.rows.get('a')?.version).toBe(5);
    expect(state.cursor).toBe('c');
  });

  test('whose object is not sent changes nothing but the cursor', () => {
    const before = live(row('a'));
    const state = after([{ kind: 'CHANGED', cursor: 'c', id: 'a', entity: null }], before);
    expect(state).toEqual({ ...before, cursor: 'c' });
  });

  test('does not touch the rows of the state before it', () => {
    const before = live(row('a'));
    after([change('CHANGED', 'c', row('b'))], before);
    expect(before.rows.size).toBe(1);
  });
});

test('LEFT takes the row away', () => {
  const state = after([{ kind: 'LEFT', cursor: 'l', id: 'a', entity: null }], live(row('a'), row('b')));
  expect([...state.rows.keys()]).toEqual(['b']);
  expect(state.cursor).toBe('l');
});

test('CHECKPOINT moves only the cursor', () => {
  const before = live(row('a'));
  expect(after([change('CHECKPOINT', 'p')], before)).toEqual({ ...before, cursor: 'p' });
});

test('a READY after resuming keeps every row', () => {
  const resumed = after([change('READY', 'r2')], live(row('a')));
  expect([...resumed.rows.keys()]).toEqual(['a']);
  expect(resumed.cursor).toBe('r2');
});

describe('RESET', () => {
  test('forgets the cursor and keeps the rows in view', () => {
    const state = after([change('RESET', 'x')], live(row('a')));
    expect(state).toMatchObject({ cursor: null, phase: 'live' });
    expect(state.rows.has('a')).toBe(true);
  });

  test('lets the snapshot behind it decide what stays, even an empty one', () => {
    const from = live(row('a'), row('b'));
    const one = after([change('RESET', 'x'), change('SNAPSHOT', 's', row('b')), change('READY', 'r')], from);
    expect([...one.rows.keys()]).toEqual(['b']);
    expect(after([change('RESET', 'x'), change('READY', 'r')], from).rows.size).toBe(0);
  });
});

test('only the first rows by the order are kept', () => {
  const state = live(row('old', 1, 1), row('b', 1, 2), row('c', 1, 3), row('d', 1, 4));
  expect([...state.rows.keys()].sort()).toEqual(['b', 'c', 'd']);
  expect(after([change('CHANGED', 'x', row('old', 2, 1))], state).rows.has('old')).toBe(false);
});
