import { expect, test } from 'vitest';
import { countIn } from './backfill';

test('ticks of the period that run are counted, without those at its end', () => {
  const at = (hour: number, willRun = true) => ({ dueAt: `2030-01-31T0${hour}:00:00.000Z`, willRun });
  const period = { from: '2030-01-31T00:00:00.000Z', to: '2030-01-31T04:00:00.000Z' };
  expect(countIn([at(1), at(2, false), at(3), at(4), at(5)], period)).toBe(2);
});
