import { expect, test } from 'vitest';
import { NO_FILTER } from '../filter';
import { offerOf } from './changes';

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
