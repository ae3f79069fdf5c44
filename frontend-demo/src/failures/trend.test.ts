import { expect, test } from 'vitest';
import { describeTrend, heightsOf } from './trend';

test('bars are as high as their share of the highest, and small ones are seen', () => {
  expect(heightsOf([0, 1, 50, 100], 28)).toEqual([1, 3, 14, 28]);
  expect(heightsOf([0, 0], 28)).toEqual([1, 1]);
});

test('a trend is described', () => {
  expect(describeTrend([0, 0])).toBe('No failures in the last 24 hours');
  expect(describeTrend([9, 3])).toBe('12 failures in the last 24 hours, 3 of them since the last full hour');
  expect(describeTrend([1, 0])).toBe('1 failure in the last 24 hours, before the last full hour');
});
