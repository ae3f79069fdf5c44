import { expect, test } from 'vitest';
import { comparedDays, lastTick, patchOf } from './patch';
import type { CronDetailsFragment } from '../../generated';

const CRON = {
  name: 'report',
  functionName: 'reports.send',
  args: { to: 'ada' },
  schedule: { __typename: 'CronSchedule', cronspec: '0 3 * * *', tz: 'UTC', onGap: 'NEXT', onFold: 'FIRST' },
  overlap: 'SKIP',
  catchUp: 'LATEST',
  jitterMs: 0,
  catchUpWindowMs: null,
  maxRuns: 12,
  pauseAfterFailures: null,
  startAt: '2026-03-01T12:00:00.250Z',
  endAt: null,
  exclusions: { weekdays: ['SUNDAY'], dates: [], ranges: [{ first: '2026-12-24', last: '2026-12-31' }], calendar: null },
} as unknown as CronDetailsFragment;

const SAME = {
  name: 'report',
  functionName: 'reports.send',
  args: { to: 'ada' },
  schedule: { cronspec: '0 3 * * *', tz: 'UTC', onGap: 'NEXT', onFold: 'FIRST' },
  policies: {
    overlap: 'SKIP',
    catchUp: 'LATEST',
    jitterMs: 0,
    catchUpWindowMs: null,
    maxRuns: 12,
    pauseAfterFailures: null,
    startAt: '2026-03-01T12:00:00.000Z',
    endAt: null,
  },
  exclusions: { weekdays: ['SUNDAY'], dates: [], ranges: [{ first: '2026-12-24', last: '2026-12-31' }], calendar: null },
} as const;

test('an unchanged form changes nothing', () => {
  expect(patchOf(CRON, SAME)).toEqual({});
});

test('only changed fields are sent', () => {
  const endAt = '2026-04-01T00:00:00.000Z';
  const entered = { ...SAME, args: { to: 'bob' }, policies: { ...SAME.policies, startAt: null, endAt } };
  expect(patchOf(CRON, entered)).toEqual({ args: { to: 'bob' }, startAt: null, endAt });
});

test('a schedule is sent as a whole', () => {
  expect(patchOf(CRON, { ...SAME, schedule: { ...SAME.schedule, tz: 'Asia/Tokyo' } })).toEqual({
    cronspec: '0 3 * * *',
    tz: 'Asia/Tokyo',
  });
  expect(patchOf(CRON, { ...SAME, schedule: { intervalMs: 5_000 } })).toEqual({ intervalMs: 5_000 });
});

test('what happens when the clocks change is sent alone', () => {
  expect(patchOf(CRON, { ...SAME, schedule: { ...SAME.schedule, onFold: 'BOTH' } })).toEqual({ onFold: 'BOTH' });
});

test('exclusions are sent as a whole, and a removed limit as null', () => {
  const exclusions = { ...SAME.exclusions, dates: ['2026-05-01'] };
  const { calendar: _, ...days } = exclusions;
  expect(patchOf(CRON, { ...SAME, exclusions })).toEqual({ exclusions: days });
  const none = { weekdays: [], dates: [], ranges: [], calendar: null };
  expect(patchOf(CRON, { ...SAME, exclusions: none })).toEqual({ exclusions: null });
  expect(patchOf(CRON, { ...SAME, policies: { ...SAME.policies, maxRuns: null } })).toEqual({ maxRuns: null });
});

test('the newest tick of an interval is before now, however old the next one is', () => {
  const cron = { schedule: { __typename: 'IntervalSchedule', ms: 4_000 }, nextRunTime: new Date(60_000).toISOString() } as const;
  expect(lastTick(cron, 58_000)).toBe(56_000);
  expect(lastTick(cron, 60_000)).toBe(60_000);
  expect(lastTick(cron, 71_000)).toBe(68_000);
  expect(lastTick(cron, 50_000)).toBeNull();
  expect(lastTick(CRON, 58_000)).toBeNull();
});

test('runs of short intervals are compared for a day', () => {
  const daily = { cronspec: '@daily', tz: 'UTC', onGap: 'NEXT', onFold: 'FIRST' } as const;
  expect(comparedDays(daily, { intervalMs: 7_200_000 })).toBe(30);
  expect(comparedDays({ intervalMs: 4_000 }, daily)).toBe(1);
});
