import { expect, test } from 'vitest';
import { failedCall, shownState } from './states';

const progress = { message: 'called again after 2 s: CallFailed: HTTP 503' };
const call = { functionName: 'actions.retryableAction', state: 'SUCCESS' as const, progress, recordedFailure: null };

test('a call that failed is no plain success, although its job has succeeded', () => {
  expect(failedCall(call)).toBe(progress.message);
  expect(shownState(call)).toEqual({ name: 'Call failed', tone: 'tone-warning' });
});

test.each([
  [{ progress: null }, 'Success', 'tone-success'],
  [{ state: 'FAILED' as const }, 'Failed', 'tone-failed'],
  [{ state: 'IN_PROGRESS' as const }, 'In progress', 'tone-in-progress'],
  [{ functionName: 'reports.build' }, 'Success', 'tone-success'],
])('a job with %o is shown in its state', (fields, name, tone) => {
  expect(failedCall({ ...call, ...fields })).toBeNull();
  expect(shownState({ ...call, ...fields })).toEqual({ name, tone });
});

test('a success whose function recorded a failure does not look like one', () => {
  const job = { ...call, functionName: 'reports.build', recordedFailure: {} };
  expect(shownState(job)).toEqual({ name: 'Success', tone: 'tone-warning' });
});
