import { expect, test } from 'vitest';
import type { CronDetailsFragment } from '../../generated';
import { NO_EXCLUSIONS, exclusionsOf } from './exclusions';
import { NO_POLICIES } from './PolicyFields';
import { previewInput, previewVariables, shownTicks } from './preview';
import type { PlannedTick } from './preview';

function tick(day: number, part: Partial<PlannedTick> = {}): PlannedTick {
  const date = `2030-01-${String(day).padStart(2, '0')}T02:30:00`;
  return { dueAt: `${date}.000Z`, plannedTime: date, note: null, willRun: true, ...part };
}

function days(count: number, part: Partial<PlannedTick> = {}): PlannedTick[] {
  return Array.from({ length: count }, (_, index) => tick(index + 1, part));
}

const UNLIMITED = { policies: NO_POLICIES };

test('ten runs are shown', () => {
  expect(shownTicks(days(20), UNLIMITED)).toHaveLength(10);
});

test('a cron that ends before has fewer', () => {
  expect(shownTicks(days(20), { policies: { ...NO_POLICIES, maxRuns: 3 } })).toHaveLength(3);
  const endAt = '2030-01-05T00:00:00.000Z';
  expect(shownTicks(days(20), { policies: { ...NO_POLICIES, endAt } })).toHaveLength(4);
});

test('ticks that do not run are shown between, with the reason, and many of them as one', () => {
  const idle = days(9, { note: 'EXCLUDED', willRun: false });
  const shown = shownTicks([...idle, ...days(20)], UNLIMITED);
  expect(shown).toHaveLength(5 + 1 + 10);
  expect(shown[0]).toMatchObject({ note: 'does not run: excluded' });
  expect(shown[5]).toMatchObject({ kind: 'idle', count: 4 });
});

test.each([
  ['MOVED', 'the clocks skip 02:30'],
  ['SKIPPED', 'does not run: the clocks skip 02:30'],
  ['REPEATED', 'the second 02:30 of this day'],
] as const)('a clock change is explained: %s', (note, words) => {
  expect(shownTicks([tick(1, { note })], UNLIMITED)).toMatchObject([{ note: words }]);
});

test('a preview begins at the start of the cron', () => {
  const startAt = '2030-01-31T12:00:00.000Z';
  const entered = { schedule: { intervalMs: 5_000 }, exclusions: NO_EXCLUSIONS, policies: { ...NO_POLICIES, startAt } };
  expect(previewInput({ ...entered, name: '', functionName: '', args: {} }, null, 0)).toMatchObject({ intervalMs: 5_000, from: startAt });
});

test.each([
  [10_000, 60_500, '1970-01-01T00:01:10.000Z'],
  [10_000, 95_000, '1970-01-01T00:01:40.000Z'],
  [600_000, 60_500, '1970-01-01T00:11:00.000Z'],
])('an interval of %i counts from the newest tick, at 60 s: at %i the next is %s', (intervalMs, now, next) => {
  const entered = { name: '', functionName: '', args: {}, exclusions: NO_EXCLUSIONS, policies: NO_POLICIES };
  expect(previewInput({ ...entered, schedule: { intervalMs } }, 60_000, now)).toMatchObject({ from: next });
});

test('an edit is compared from the moment of its preview, and only if it changes something', () => {
  const schedule = { __typename: 'IntervalSchedule' as const, ms: 4_000 };
  const cron = { id: 'c', name: 'n', functionName: 'f', args: {}, schedule, nextRunTime: new Date(60_000).toISOString() };
  const policies = { ...NO_POLICIES };
  const days = { exclusions: { weekdays: [], dates: [], ranges: [], calendar: null } };
  const stored = { ...cron, ...policies, ...days } as unknown as CronDetailsFragment;
  const same = { name: 'n', functionName: 'f', args: {}, policies, exclusions: exclusionsOf(stored) };
  expect(previewVariables({ ...same, schedule: { intervalMs: 4_000 } }, stored, 58_000).change).toBeUndefined();
  const edited = previewVariables({ ...same, schedule: { intervalMs: 9_000 } }, stored, 58_000);
  expect(edited.change).toEqual({ cronId: 'c', days: 1, intervalMs: 9_000 });
  expect(edited.input).toMatchObject({ intervalMs: 9_000, from: new Date(65_000).toISOString() });
});
