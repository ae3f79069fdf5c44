import { expect, test } from 'vitest';
import { formatClock, formatDuration, formatExact, formatExpected, formatRounded, formatSince, formatUntil, inWords } from './format';

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

test('what is expected is never in the past', () => {
  expect([5_000, 0, -60_000].map((ahead) => formatExpected(1_000_000 + ahead, 1_000_000))).toEqual(['in 5 s', 'now', 'now']);
});

test('moments have the day of the week, and the time of 24 hours of their zone', () => {
  const at = Date.parse('2030-01-31T00:00:05.000Z');
  expect(formatExact(at, 'UTC')).toMatch(/Thu.*Jan.*31.*2030.*\b00:00:05/);
  expect(formatExact(at, 'Asia/Tokyo')).toMatch(/\b09:00:05/);
  expect(formatExact(at, 'Mars/Olympus')).toBe(formatExact(at));
  expect(formatExact(at)).toContain(formatClock(at));
});

test.each([
  [0, '0 milliseconds'],
  [1, '1 millisecond'],
  [1_000, '1 second'],
  [90_000, '1.5 minutes'],
  [86_400_000, '1 day'],
  [31_622_400_000, '366 days'],
  [157_680_000_000, '5 years'],
  [-5_000, '-5,000 milliseconds'],
])('%i ms is %s', (ms, words) => {
  expect(inWords(ms)).toBe(words);
});
