import { expect, test } from 'vitest';
import { formatDuration, formatRounded, formatSince, formatUntil } from './format';

test.each([
  [0, 'just now'],
  [-5_000, 'just now'],
  [59_999, '59 s ago'],
  [60_000, '1 min ago'],
  [200_000_000, '2 d ago'],
])('what happened %i ms ago happened %s', (age, words) => {
  expect(formatSince(1_000_000 - age, 1_000_000)).toBe(words);
});

test.each([
  [0, 'now'],
  [5_000, 'in 5 s'],
  [7_200_000, 'in 2 h'],
  [-5_000, '5 s ago'],
])('what is due %i ms from now is due %s', (ahead, words) => {
  expect(formatUntil(1_000_000 + ahead, 1_000_000)).toBe(words);
});

test.each([
  [250, '250 ms'],
  [1_000, '1 s'],
  [1_500, '1.5 s'],
  [61_000, '61 s'],
  [5_400_000, '1.5 h'],
  [604_800_000, '7 d'],
])('%i ms is a duration of %s', (ms, words) => {
  expect(formatDuration(ms)).toBe(words);
});

test.each([
  [0, '0 ms'],
  [0.5, '0.5 ms'],
  [1_234, '1.2 s'],
  [90_000, '1.5 min'],
])('%d ms is about %s', (ms, words) => {
  expect(formatRounded(ms)).toBe(words);
});
