import { expect, test } from 'vitest';
import { describe as describeAction } from './describe';
import type { Progress } from './describe';

test.each<[Partial<Progress>, string]>([
  [{ state: 'RUNNING', processed: 1_000, total: 2_000 }, 'Canceling jobs: 1,000 of 2,000'],
  [{ state: 'RUNNING', processed: 1_000, total: null }, 'Canceling jobs: 1,000'],
  [{ state: 'DONE' }, '5 jobs canceled, 2 could not be.'],
  [{ state: 'CANCELED', outcomes: [] }, 'Stopped. 0 jobs canceled.'],
  [{ state: 'FAILED', kind: 'RETRY_JOBS', outcomes: [{ outcome: 'RETRIED', count: 3 }] }, 'It failed. 3 jobs retried.'],
  [{ kind: 'RESOLVE_FAILURES', outcomes: [{ outcome: 'RESOLVED', count: 1 }] }, '1 failure resolved.'],
])('%o is described as "%s"', (fields, text) => {
  const outcomes: Progress['outcomes'] = [
    { outcome: 'CANCELED', count: 4 },
    { outcome: 'CANCEL_REQUESTED', count: 1 },
    { outcome: 'NOT_ALLOWED', count: 2 },
  ];
  const action: Progress = { kind: 'CANCEL_JOBS', state: 'DONE', processed: 7, total: 7, outcomes, ...fields };
  expect(describeAction(action)).toBe(text);
});
