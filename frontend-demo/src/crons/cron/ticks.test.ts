import { expect, test } from 'vitest';
import { describeTick, detailOf } from './ticks';
import type { Tick } from './ticks';

const REASONS: Partial<Record<Tick['outcome'], readonly NonNullable<Tick['reason']>[]>> = {
  SKIPPED: [
    ...(['OVERLAP', 'QUEUE_FULL', 'PAUSED', 'ROLE_LOST', 'OWNER_SUSPENDED', 'EXCLUDED', 'CLOCK_CHANGE'] as const),
    ...(['REQUESTED', 'FAILED_RUNS', 'MAX_RUNS', 'QUOTA_EXCEEDED', 'FUNCTION_REFUSED'] as const),
  ],
  MISSED: ['DOWNTIME', 'TOO_MANY_MISSED', 'TOO_OLD'],
  COALESCED: ['CAUGHT_UP'],
  CANCELED: ['PAUSED', 'CHANGED', 'DELETED'],
};

function tick(part: Partial<Tick>): Tick {
  return { outcome: 'RAN', reason: null, origin: 'SCHEDULE', tickCount: 1, ...part } as Tick;
}

test.each(Object.entries(REASONS) as [Tick['outcome'], NonNullable<Tick['reason']>[]][])('no reason of %s repeats the outcome', (outcome, reasons) => {
  for (const reason of reasons) {
    const words = describeTick(tick({ outcome, reason })).toLowerCase().match(/[a-z]+/g) ?? [];
    expect(words.filter((word) => word === outcome.toLowerCase()), reason).toHaveLength(1);
  }
});

test.each([
  [tick({}), 'Ran', ''],
  [tick({ origin: 'BACKFILL' }), 'Ran, backfill', 'backfill'],
  [tick({ outcome: 'SKIPPED', reason: 'REQUESTED' }), 'Skipped on request', 'on request'],
  [tick({ outcome: 'SKIPPED', reason: 'PAUSED', tickCount: 3 }), 'Skipped 3 ticks: the cron was paused', '3 ticks: the cron was paused'],
  [tick({ outcome: 'MISSED', reason: 'TOO_OLD' }), 'Missed: it was too old to be caught up', 'it was too old to be caught up'],
])('a record of %j is "%s"', (record, text, detail) => {
  expect([describeTick(record), detailOf(record)]).toEqual([text, detail]);
});
