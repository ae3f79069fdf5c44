import { expect, test } from 'vitest';
import { parseDuration } from './parseDuration';

test.each([
  ['every 5 minutes', 300_000],
  ['every minute', 60_000],
  ['90 s', 90_000],
  ['90s', 90_000],
  ['1.5 h', 5_400_000],
  ['2 days', 172_800_000],
  ['5 years', 157_680_000_000],
  ['5000', 5_000],
  ['250 ms', 250],
  [' Every 2 Weeks ', 1_209_600_000],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', 'soon', '5 lightyears', '-5 s', 'every', '5 5 s', '1e3'])('%j is not a duration', (text) => {
  expect(parseDuration(text)).toBeNull();
});
