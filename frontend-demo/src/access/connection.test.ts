import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Connection } from './connection';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the wait before an attempt grows up to some seconds', async () => {
  const connection = new Connection();
  const waited = vi.fn();
  void connection.waitToRetry(20).then(waited);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(waited).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(waited).toHaveBeenCalled();
});

test('a user can end the wait', async () => {
  const connection = new Connection();
  const waited = vi.fn();
  void connection.waitToRetry(20).then(waited);
  connection.retryNow();
  await vi.advanceTimersByTimeAsync(0);
  expect(waited).toHaveBeenCalled();
});
