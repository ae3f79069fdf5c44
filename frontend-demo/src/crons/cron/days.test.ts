import { expect, test } from 'vitest';
import { daysOf, describeDay, toneOf } from './days';
import type { Tick } from './ticks';

const NOW = Date.parse('2030-01-31T12:00:00.000Z');

function tick(scheduledTime: string, outcome: Tick['outcome'], tickCount = 1): Tick {
  return { scheduledTime, outcome, tickCount } as Tick;
}

test('days are in order, up to today, and count their ticks', () => {
  const ticks = [tick('2030-01-31T03:00:00Z', 'RAN'), tick('2030-01-29T03:00:00Z', 'MISSED', 12)];
  const days = daysOf(ticks, NOW, 'UTC', 3);
  expect(days.map(({ date }) => date)).toEqual(['2030-01-29', '2030-01-30', '2030-01-31']);
  expect(days.map(({ counts }) => counts)).toEqual([{ MISSED: 12 }, {}, { RAN: 1 }]);
});

test('a day is one of the time zone of the cron', () => {
  const days = daysOf([tick('2030-01-30T20:00:00Z', 'RAN')], NOW, 'Asia/Tokyo', 2);
  expect(days.map(({ date, counts }) => [date, counts])).toEqual([
    ['2030-01-30', {}],
    ['2030-01-31', { RAN: 1 }],
  ]);
});

test('ticks before the first day are left out', () => {
  expect(daysOf([tick('2029-01-01T00:00:00Z', 'RAN')], NOW, 'UTC', 1)).toEqual([{ date: '2030-01-31', counts: {} }]);
});

test('a day has the colour of its worst outcome, and words for all of them', () => {
  const day = { date: '2030-01-31', counts: { RAN: 23, MISSED: 1, SKIPPED: 2 } };
  expect(toneOf(day)).toBe('tone-failed');
  expect(describeDay(day)).toBe('Jan 31: 23 ran, 1 missed, 2 skipped');
  expect(toneOf({ date: '2030-01-31', counts: {} })).toBeNull();
  expect(describeDay({ date: '2030-01-31', counts: {} })).toBe('Jan 31: no ticks');
});
