import { expect, test } from 'vitest';
import { countText, countVariables, countsOf, totalOf } from './counts';

const exact = (count: number) => ({ count, isExact: true });
const some = { PENDING: exact(1), IN_PROGRESS: exact(0), SUCCESS: exact(1_200), FAILED: exact(3) };

test('each state is counted with the rest of the filter', () => {
  const { failed, pending } = countVariables({ queue: 'mail', states: ['SUCCESS'] });
  expect(failed).toEqual({ queue: 'mail', states: ['FAILED'] });
  expect(pending).toEqual({ queue: 'mail', states: ['PENDING'] });
});

test('a state that could not be counted has no count, and then there is none of all jobs', () => {
  const totals = { PENDING: { totalCount: exact(1) }, IN_PROGRESS: { totalCount: null }, SUCCESS: null };
  expect(countsOf({ ...totals, FAILED: null, CANCELED: null })).toEqual({ PENDING: exact(1) });
  expect(totalOf(some, '')).toBeNull();
  expect(totalOf(some, 'FAILED')).toEqual(exact(3));
});

test('the number of all jobs is exact if each count is', () => {
  expect(countText(totalOf({ ...some, CANCELED: exact(0) }, '')!)).toBe('1,204');
  expect(countText(totalOf({ ...some, CANCELED: { count: 10_000, isExact: false } }, '')!)).toBe('11,204+');
});
