import { expect, test } from 'vitest';
import { rateOf } from './rate';

test.each([
  [1_000, '60 a minute'],
  [3_000, '20 a minute'],
  [7_000, 'about 9 a minute'],
  [60_000, '60 an hour'],
  [3_600_000, '24 a day'],
  [86_400_000, null],
])('every %i ms is %s', (intervalMs, rate) => {
  expect(rateOf(intervalMs)).toBe(rate);
});
