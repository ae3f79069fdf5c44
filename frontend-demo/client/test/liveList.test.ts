import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveList } from '../src/liveList';
import type { LiveSink } from '../src/liveList';
import type { Page } from '../src/rows';
import { LONGEST_RETRY_MS, following } from './fakeSource';
import type { Data, Job } from './fakeSource';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lost = [{ message: 'too old', extensions: { code: 'HISTORY_LOST' } }];
const invalidCursor = [{ message: 'x', extensions: { issues: [{ path: ['after'] }] } }];

test('a list is loading until its snapshot is complete', () => {
  const { source, view } = following();
  source.send('SNAPSHOT', 'a');
  expect(view()).toEqual({ ids: [], status: 'loading', error: null, truncated: false });
  source.send('READY');
  expect(view()).toEqual({ ids: ['a'], status: 'live', error: null, truncated: false });
});

test('a list keeps the first rows by its order', () => {
  const { source, view } = following({ limit: 2, order: (a, b) => b.id.localeCompare(a.id) });
  source.snapshot('a', 'c', 'b');
  expect(view()).toMatchObject({ ids: ['c', 'b'], truncated: true });
});

test('a limit below 1 is an error', () => {
  expect(() => new LiveList(() => () => {}, { limit: 0 })).toThrow(
    'limit must be at least 1, got 0',
  );
});

describe('listeners', () => {
  test('are called once for many messages, and the view is the same object until then', () => {
    const { source, list, listener } = following();
    const before = list.getSnapshot();
    source.snapshot(...'abcdef');
    expect([listener.mock.calls.length, list.getSnapshot()]).toEqual([0, before]);
    vi.advanceTimersByTime(50);
    expect(listener).toHaveBeenCalledTimes(1);
    expect(list.getSnapshot()).not.toBe(before);
    expect(list.getSnapshot()).toBe(list.getSnapshot());
  });

  test('share one subscription, which ends with the last of them', () => {
    const { source, list, listener, end } = following();
    const endOther = list.subscribe(listener);
    end();
    end();
    expect(source.stops).toBe(0);
    endOther();
    expect([source.starts.length, source.stops]).toEqual([1, 1]);
  });

  test('that come back find the rows, and the subscription is resumed', () => {
    const { source, list, end, view } = following();
    source.snapshot('a');
    end();
    list.subscribe(() => {});
    source.send('READY');
    expect([source.starts, view().ids]).toEqual([[null, 'c2'], ['a']]);
  });

  test('that leave before the snapshot is complete get a new one', () => {
    const { source, list, end, view } = following();
    source.send('SNAPSHOT', 'a');
    end();
    list.subscribe(() => {});
    source.snapshot('b');
    expect([source.starts, view().ids]).toEqual([[null, null], ['b']]);
  });
});

describe('a subscription that ends', () => {
  test.each<[string, (sink: LiveSink<Data>) => void, string | null]>([
    ['normally', (sink) => sink.complete(), null],
    ['with an error of the connection', (sink) => sink.error(new Error('offline')), 'offline'],
    ['with an error of the server', (sink) => sink.error([{ message: 'busy' }]), 'busy'],
    ['with a result without data', (sink) => sink.next({ errors: [{ message: 'busy' }] }), 'busy'],
    ['with something else', (sink) => sink.error({ code: 4500 }), 'The connection was lost.'],
  ])('%s is resumed after the newest message', (_, endIt, message) => {
    const { source, view } = following();
    source.snapshot('a');
    source.send('CHANGED', 'b');
    endIt(source.sink);
    expect(view()).toMatchObject({ ids: ['a', 'b'], status: 'live' });
    expect(view().error?.message ?? null).toBe(message);
    vi.advanceTimersByTime(1_000);
    expect(source.starts).toEqual([null, 'c3']);
    source.send('READY');
    expect(view()).toMatchObject({ ids: ['a', 'b'], error: null });
  });

  test('inside a snapshot starts again without a cursor', () => {
    const { source, view } = following();
    source.snapshot('a', 'b');
    source.send('RESET');
    source.send('SNAPSHOT', 'a');
    source.sink.complete();
    vi.advanceTimersByTime(1_000);
    source.snapshot('b');
    expect([source.starts, view().ids]).toEqual([[null, null], ['b']]);
  });

  test('again and again is retried ever more slowly', () => {
    const { source } = following();
    for (let retries = 1; retries <= 8; retries++) {
      const delayMs = Math.min(1_000 * 2 ** (retries - 1), LONGEST_RETRY_MS);
      source.sink.error(new Error('offline'));
      vi.advanceTimersByTime(delayMs * 0.74);
      expect(source.starts).toHaveLength(retries);
      vi.advanceTimersByTime(delayMs * 0.27);
      expect(source.starts).toHaveLength(retries + 1);
    }
    source.snapshot();
    source.sink.complete();
    vi.advanceTimersByTime(1_000);
    expect(source.starts).toHaveLength(10);
  });

  test('is not resumed after the last listener has left', () => {
    const { source, end } = following();
    source.sink.complete();
    end();
    vi.advanceTimersByTime(LONGEST_RETRY_MS);
    expect(source.starts).toEqual([null]);
  });

  test('reports nothing more', () => {
    const { source, view } = following();
    const old = source.sink;
    source.snapshot('a');
    old.complete();
    vi.advanceTimersByTime(1_000);
    old.next({ data: { jobsChanged: source.message('CHANGED', 'late') } });
    old.error(new Error('late'));
    expect(view()).toMatchObject({ ids: ['a'], error: null });
  });
});

test.each([
  ['too old', lost],
  ['of another server', invalidCursor],
])('a cursor that is %s is dropped: the list takes a new snapshot at once', (_, errors) => {
  const { source, view } = following();
  source.snapshot('a', 'b');
  source.sink.complete();
  vi.advanceTimersByTime(1_000);
  source.sink.error(errors);
  expect(source.starts).toEqual([null, 'c3', null]);
  expect(view()).toMatchObject({ ids: ['a', 'b'], error: null });
  source.snapshot('b');
  expect(view().ids).toEqual(['b']);
});

test('RESET discards the rows that the new snapshot does not contain', () => {
  const { source, view } = following();
  source.snapshot('a', 'b');
  source.send('RESET');
  source.snapshot('b', 'c');
  expect(view().ids).toEqual(['b', 'c']);
});

test('a list that is drained below half of its limit takes a new snapshot', () => {
  const { source, view } = following({ limit: 2 });
  source.snapshot('a', 'b', 'c');
  source.send('LEFT', 'a');
  expect(source.starts).toHaveLength(1);
  source.send('LEFT', 'b');
  vi.advanceTimersByTime(1_000);
  expect(source.starts).toEqual([null, null]);
  source.snapshot('c');
  expect(view()).toMatchObject({ ids: ['c'], truncated: false });
});

test('changes are counted, so that a page that does not show them can tell how many wait', () => {
  const { source, list, view } = following();
  source.snapshot('a');
  source.send('CHANGED', 'b');
  source.send('LEFT', 'a');
  source.send('CHECKPOINT');
  view();
  expect(list.getSnapshot().changes).toBe(2);
});

test('a row that expires is removed within a second, without a message', () => {
  vi.setSystemTime('2030-01-01T00:00:00.000Z');
  const expiresAt = ({ id }: Job) => (id === 'a' ? '2030-01-01T00:00:10.000Z' : null);
  const { source, view, end } = following({ expiresAt });
  source.snapshot('a', 'b');
  vi.advanceTimersByTime(9_000);
  expect(view().ids).toEqual(['a', 'b']);
  vi.advanceTimersByTime(2_000);
  expect(view().ids).toEqual(['b']);
  end();
  expect(vi.getTimerCount()).toBe(0);
});

describe('more rows', () => {
  const page = (ids: string, endCursor: string | null, hasNextPage = true): Page<Job> => ({
    nodes: [...ids].map((id) => ({ id, version: 1 })),
    pageInfo: { endCursor, hasNextPage },
  });

  test('are read from the first page until some are new, and then after the last page', async () => {
    const { source, list, view } = following({ limit: 2 });
    source.snapshot('a', 'b', 'c');
    const pages = [page('ab', '2'), page('cd', '4')];
    const fetch = vi.fn(async () => pages.shift()!);
    await list.loadMore(fetch);
    expect(list.getSnapshot().rows.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    expect(fetch.mock.calls).toEqual([[null], ['2']]);
    pages.push(page('e', '5', false));
    await list.loadMore(fetch);
    expect(fetch.mock.lastCall).toEqual(['4']);
    expect(view()).toMatchObject({ ids: ['a', 'b', 'c', 'd', 'e'], truncated: false });
    await list.loadMore(fetch);
    expect(fetch).toHaveBeenCalledTimes(3);
  });

  test('are read once for two calls at a time, and again after an error', async () => {
    const { source, list, view } = following({ limit: 1 });
    source.snapshot('a', 'b');
    const refused = vi.fn(() => Promise.reject(new Error('offline')));
    const both = [list.loadMore(refused), list.loadMore(refused)];
    expect(both[0]).toBe(both[1]);
    await expect(both[0]).rejects.toThrow('offline');
    expect(refused).toHaveBeenCalledTimes(1);
    await list.loadMore(async () => page('ab', '2', false));
    expect(view()).toMatchObject({ ids: ['a', 'b'], truncated: false });
  });

  test('that a new snapshot overtakes are dropped', async () => {
    const { source, list, view } = following({ limit: 1 });
    source.snapshot('a', 'b');
    await list.loadMore(async () => {
      source.send('RESET');
      return page('ab', '2');
    });
    source.snapshot('a', 'b');
    expect(view()).toMatchObject({ ids: ['a'], truncated: true });
  });
});
