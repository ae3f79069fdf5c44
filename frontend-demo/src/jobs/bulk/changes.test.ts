import { expect, test } from 'vitest';
import { NO_FILTER } from '../filter';
import { describe as describeAction, offerOf } from './changes';
import type { Progress } from './changes';

const exact = (count: number) => ({ count, isExact: true });
const counts = { PENDING: exact(1), IN_PROGRESS: exact(2), FAILED: exact(4), CANCELED: { count: 10_000, isExact: false } };

test('only jobs in a state that allows it are changed, and counted', () => {
  expect(offerOf('CANCEL_JOBS', { ...NO_FILTER, queue: 'mail' }, counts, false)).toEqual({
    possible: true,
    filter: { queue: 'mail', states: ['PENDING', 'IN_PROGRESS'] },
    count: 3,
    isExact: true,
  });
  const retried = offerOf('RETRY_JOBS', NO_FILTER, counts, false);
  expect(retried).toMatchObject({ count: 10_004, isExact: false });
  expect(offerOf('RETRY_JOBS', { ...NO_FILTER, state: 'FAILED' }, counts, false)).toMatchObject({
    filter: { states: ['FAILED'] },
    count: 4,
  });
  expect(offerOf('CANCEL_JOBS', NO_FILTER, {}, false)).toMatchObject({ possible: true, count: null });
});

test('internal jobs are not changed', () => {
  const offer = offerOf('CANCEL_JOBS', { ...NO_FILTER, root: 'id' }, counts, false);
  expect(offer).toMatchObject({ filter: { rootId: 'id' } });
  expect(offer).not.toHaveProperty('filter.internal');
});

test.each([
  ['CANCEL_JOBS', { state: 'FAILED' }, 'None of these jobs are pending or running.'],
  ['RETRY_JOBS', { args: 'x' }, 'The server cannot search arguments: remove that filter.'],
] as const)('%s of %o is not possible', (kind, fields, reason) => {
  expect(offerOf(kind, { ...NO_FILTER, ...fields }, counts, false)).toEqual({ possible: false, reason });
});

test('an admin changes the jobs of one user', () => {
  expect(offerOf('CANCEL_JOBS', NO_FILTER, counts, true)).toMatchObject({ possible: false });
  expect(offerOf('CANCEL_JOBS', { ...NO_FILTER, owner: 'ann' }, counts, true)).toMatchObject({ possible: true });
});

test('nothing is offered where no jobs match', () => {
  const reason = 'None of these jobs are pending or running.';
  const none = { PENDING: exact(0), IN_PROGRESS: exact(0) };
  expect(offerOf('CANCEL_JOBS', NO_FILTER, none, false)).toEqual({ possible: false, reason });
});

test.each<[Partial<Progress>, string]>([
  [{ state: 'RUNNING', processed: 1_000, total: 2_000 }, 'Canceling jobs: 1,000 of 2,000'],
  [{ state: 'RUNNING', processed: 1_000, total: null }, 'Canceling jobs: 1,000'],
  [{ state: 'DONE' }, '5 canceled, 2 could not be.'],
  [{ state: 'CANCELED', outcomes: [] }, 'Stopped. 0 canceled.'],
  [{ state: 'FAILED', kind: 'RETRY_JOBS', outcomes: [{ outcome: 'RETRIED', count: 3 }] }, 'It failed. 3 retried.'],
])('%o is described as "%s"', (fields, text) => {
  const outcomes: Progress['outcomes'] = [
    { outcome: 'CANCELED', count: 4 },
    { outcome: 'CANCEL_REQUESTED', count: 1 },
    { outcome: 'NOT_ALLOWED', count: 2 },
  ];
  const action: Progress = { kind: 'CANCEL_JOBS', state: 'DONE', processed: 7, total: 7, outcomes, ...fields };
  expect(describeAction(action)).toBe(text);
});
