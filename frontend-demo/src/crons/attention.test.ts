import { expect, test } from 'vitest';
import { LATE_MS, formatNextTick, problemOf, textWithoutProblems } from './attention';
import type { Cron } from './cronsFeed';

const NOW = Date.parse('2030-01-31T12:00:00.000Z');
const DUE_LATER = new Date(NOW + 1_000).toISOString();

function problem(part: Partial<Cron>): string | null {
  const cron = { enabled: true, nextRunTime: DUE_LATER, pausedBecause: null, warnings: [], ...part };
  return problemOf(cron as unknown as Cron, NOW);
}

test('a cron that is due in the future, or within a minute, runs as planned', () => {
  expect(problem({})).toBeNull();
  expect(problem({ nextRunTime: new Date(NOW - LATE_MS).toISOString() })).toBeNull();
});

test('a cron that was due minutes ago is late, unless it is paused', () => {
  const nextRunTime = new Date(NOW - 180_000).toISOString();
  expect(problem({ nextRunTime })).toBe('Late: it was due 3 min ago');
  expect(problem({ nextRunTime, enabled: false })).toBeNull();
});

test('a cron that Ostinato has paused needs attention, unless it has run as often as it may', () => {
  expect(problem({ enabled: false, pausedBecause: 'FAILED_RUNS' })).toBe('Paused: its last runs have failed');
  expect(problem({ enabled: false, pausedBecause: 'MAX_RUNS' })).toBeNull();
});

test('a warning is a problem', () => {
  expect(problem({ warnings: [{ message: 'no such function' }] })).toBe('no such function');
});

test('all crons run as planned only if all are loaded', () => {
  expect(textWithoutProblems({ rows: [], truncated: false })).toBe('There are no crons.');
  expect(textWithoutProblems({ rows: [{}], truncated: false })).toBe('All crons run as planned.');
  expect(textWithoutProblems({ rows: [{}, {}], truncated: true })).toBe('The 2 loaded crons run as planned; there are more.');
});

test.each([
  [5_000, 'in 5 s'],
  [0, 'now'],
  [-LATE_MS, 'now'],
  [-LATE_MS - 60_000, '2 min ago'],
])('the next tick, planned for %i ms from now, is %s', (ahead, text) => {
  expect(formatNextTick(NOW + ahead, NOW)).toBe(text);
});
