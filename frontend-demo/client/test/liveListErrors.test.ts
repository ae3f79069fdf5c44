import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveList } from '../src/liveList';
import type { LiveSink } from '../src/liveList';
import { LONGEST_RETRY_MS, following } from './fakeSource';
import type { Data } from './fakeSource';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('errors beside data', () => {
  const partial = [{ message: 'result is not available' }];

  test('are shown until the next message, and the data is used', () => {
    const { source, view } = following();
    source.snapshot();
    source.sink.next({ data: { jobsChanged: source.message('CHANGED', 'a') }, errors: partial });
    expect(view()).toMatchObject({
      ids: ['a'],
      error: { message: 'result is not available', problems: partial },
    });
    source.send('CHECKPOINT');
    expect([view().error, source.starts]).toEqual([null, [null]]);
  });

  test('that repeat the previous message end the subscription, as urql reports it', () => {
    const { source, view } = following();
    const jobsChanged = source.message('READY');
    source.sink.next({ data: { jobsChanged } });
    source.sink.next({ data: { jobsChanged: { ...jobsChanged } }, errors: partial });
    expect(view().error?.message).toBe('result is not available');
    vi.advanceTimersByTime(1_000);
    expect(source.starts).toEqual([null, 'c1']);
  });
});

test('an error has the code of the server', () => {
  const { source, view } = following();
  source.sink.error([{ message: 'unknown job', extensions: { code: 'NOT_FOUND' } }]);
  expect(view().error?.code).toBe('NOT_FOUND');
});

describe('a subscription to one object', () => {
  test('ends when the object is deleted, and is not resumed', () => {
    const { source, list, end, view } = following();
    for (const message of [
      source.message('SNAPSHOT', 'a'),
      source.message('READY'),
      source.message('LEFT', 'a'),
    ]) {
      source.sink.next({ data: { jobChanged: message } });
    }
    source.sink.complete();
    expect(view()).toEqual({ ids: [], status: 'ended', error: null, truncated: false });
    end();
    list.subscribe(() => {});
    vi.advanceTimersByTime(LONGEST_RETRY_MS);
    expect(source.starts).toEqual([null]);
  });

  test('is resumed if it ends for another reason', () => {
    const { source } = following();
    source.sink.next({ data: { jobChanged: source.message('READY') } });
    source.sink.complete();
    vi.advanceTimersByTime(1_000);
    expect(source.starts).toEqual([null, 'c1']);
  });
});

describe('a document that does not select what is needed', () => {
  test.each<[string, object, string]>([
    [
      'another root field',
      { statsChanged: { pending: 1 } },
      'Select one of jobsChanged, jobChanged,',
    ],
    [
      'no id',
      { jobsChanged: { kind: 'READY', cursor: 'c', job: null } },
      'In jobsChanged, select kind, cursor, jobId and job { id version }.',
    ],
    [
      'no object',
      { cronsChanged: { kind: 'READY', cursor: 'c', cronId: null } },
      'In cronsChanged, select kind, cursor, cronId and cron { id version }.',
    ],
    [
      'no version',
      { jobsChanged: { kind: 'CHANGED', cursor: 'c', jobId: 'a', job: { id: 'a' } } },
      'In jobsChanged, select',
    ],
  ])('(%s) is an error, without a retry', (_, data, message) => {
    const { source, view } = following();
    source.sink.next({ data: data as Data });
    expect(view().error?.message).toContain(message);
    vi.advanceTimersByTime(LONGEST_RETRY_MS);
    expect([source.starts.length, source.stops]).toEqual([1, 1]);
  });
});

test('a source that fails at once is stopped and retried', () => {
  const stop = vi.fn();
  const start = vi.fn(
    (_: string | null, sink: LiveSink<Data>) => (sink.error(new Error('offline')), stop),
  );
  new LiveList<Data>(start).subscribe(() => {});
  vi.advanceTimersByTime(1_000);
  expect([start.mock.calls.length, stop.mock.calls.length]).toEqual([2, 2]);
});
