import { expect, test } from 'vitest';
import { patchOf } from './patch';
import type { CronDetailsFragment } from '../../generated';

const CRON = {
  name: 'report',
  functionName: 'reports.send',
  args: { to: 'ada' },
  schedule: { __typename: 'CronSchedule', cronspec: '0 3 * * *', tz: 'UTC' },
  overlap: 'SKIP',
  catchUp: 'LATEST',
  jitterMs: 0,
  startAt: '2026-03-01T12:00:00.250Z',
  endAt: null,
} as unknown as CronDetailsFragment;

const SAME = {
  name: 'report',
  functionName: 'reports.send',
  args: { to: 'ada' },
  schedule: { cronspec: '0 3 * * *', tz: 'UTC' },
  policies: { overlap: 'SKIP', catchUp: 'LATEST', jitterMs: 0, startAt: '2026-03-01T12:00:00.000Z', endAt: null },
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
  expect(patchOf(CRON, { ...SAME, schedule: { cronspec: '0 3 * * *', tz: 'Asia/Tokyo' } })).toEqual({
    cronspec: '0 3 * * *',
    tz: 'Asia/Tokyo',
  });
  expect(patchOf(CRON, { ...SAME, schedule: { intervalMs: 5_000 } })).toEqual({ intervalMs: 5_000 });
});
