import { expect, test } from 'vitest';
import { daysOf, describeDay, toneOf } from './days';
import type { Tick } from './ticks';

const NOW = Date.parse('2030-01-31T12:00:00.000Z');

function tick(scheduledTime: string, outcome: Tick['outcome'], tickCount = 1, lastScheduledTime = scheduledTime): Tick {
  return { scheduledTime, lastScheduledTime, outcome, tickCount } as Tick;
}

/** The texts of the days, without their dates. */
function textsOf(ticks: readonly Tick[], length: number): string[] {
  return daysOf(ticks, NOW, 'UTC', length).map((day) => describeDay(day).split(': ')[1] ?? '');
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
  expect(daysOf([tick('2029-01-01T00:00:00Z', 'RAN')], NOW, 'UTC', 1)).toEqual([
    { date: '2030-01-31', counts: {}, shared: {} },
  ]);
});

test('a record over several days is on each of them that has no other record', () => {
  const paused = tick('2030-01-27T03:00:00Z', 'SKIPPED', 100, '2030-01-30T03:00:00Z');
  const ticks = [tick('2030-01-29T03:00:00Z', 'RAN'), paused, tick('2030-01-30T23:00:00Z', 'SKIPPED', 3)];
  const expected = ['some of 100 skipped', 'some of 100 skipped', '1 ran', '3 and some of 100 skipped', 'no ticks'];
  expect(textsOf(ticks, 5)).toEqual(expected);
  expect(toneOf(daysOf(ticks, NOW, 'UTC', 4)[0]!)).toBe('tone-canceled');
});

test('a record that began before the first day is on the days after it', () => {
  expect(textsOf([tick('2029-01-01T00:00:00Z', 'MISSED', 9_000, '2030-01-30T03:00:00Z')], 3)).toEqual([
    `some of ${(9_000).toLocaleString()} missed`,
    `some of ${(9_000).toLocaleString()} missed`,
    'no ticks',
  ]);
});

test('a record with fewer ticks than days is perhaps on a day between its first and its last', () => {
  const texts = textsOf([tick('2030-01-28T00:00:00Z', 'SKIPPED', 3, '2030-01-31T03:00:00Z')], 4);
  const between = 'perhaps some of 3 skipped';
  expect(texts).toEqual(['some of 3 skipped', between, between, 'some of 3 skipped']);
});

test('a record of two ticks has one on its first and one on its last day', () => {
  const two = tick('2030-01-29T03:00:00Z', 'SKIPPED', 2, '2030-01-31T03:00:00Z');
  expect(textsOf([two], 3)).toEqual(['1 skipped', 'no ticks', '1 skipped']);
});

test('a day has the colour of its first outcome in the order of colours, and words for all of them', () => {
  const day = { date: '2030-01-31', counts: { RAN: 23, MISSED: 1, SKIPPED: 2 }, shared: {} };
  expect(toneOf(day)).toBe('tone-failed');
  expect(describeDay(day)).toBe('Jan 31: 1 missed, 23 ran, 2 skipped');
  const empty = { date: '2030-01-31', counts: {}, shared: {} };
  expect(toneOf(empty)).toBeNull();
  expect(describeDay(empty)).toBe('Jan 31: no ticks');
});
