/** What became of the ticks of a cron, in words and colours. */
import type { TickRowFragment } from '../../generated';

export type Tick = TickRowFragment;

export const OUTCOMES: Record<Tick['outcome'], { name: string; tone: string }> = {
  RAN: { name: 'Ran', tone: 'tone-success' },
  SKIPPED: { name: 'Skipped', tone: 'tone-canceled' },
  MISSED: { name: 'Missed', tone: 'tone-failed' },
  COALESCED: { name: 'Coalesced', tone: 'tone-pending' },
  CANCELED: { name: 'Canceled', tone: 'tone-canceled' },
};

/** What follows the outcome. */
const REASONS: Record<NonNullable<Tick['reason']>, string> = {
  OVERLAP: ': the previous run had not ended',
  QUEUE_FULL: ': 100 ticks were waiting for the previous run',
  PAUSED: ': the cron was paused',
  ROLE_LOST: ": the owner has lost the function's role",
  OWNER_SUSPENDED: ': the owner was suspended',
  EXCLUDED: ': its day is excluded',
  CLOCK_CHANGE: ': the clocks jumped over its local time',
  REQUESTED: ' on request',
  QUOTA_EXCEEDED: ': the owner had no room for another job',
  FUNCTION_REFUSED: ': the function does not exist or rejects the arguments',
  DOWNTIME: ': no worker was free in time',
  TOO_MANY_MISSED: ': only the newest 500 were caught up',
  TOO_OLD: ': it was too old to be caught up',
  CAUGHT_UP: ': the newest missed tick ran instead',
  CHANGED: ': the cron was changed',
  DELETED: ': the cron was deleted',
  FAILED_RUNS: ': the cron was paused, because its runs had failed',
  MAX_RUNS: ': as many ticks as allowed had run',
};

/** Describe a record: `Ran`, `Skipped on request`, or `Missed 12 ticks: no worker was free in time`. */
export function describeTick({ outcome, reason, origin, tickCount }: Tick): string {
  const count = tickCount > 1 ? ` ${tickCount.toLocaleString()} ticks` : '';
  const asked = origin === 'SCHEDULE' ? '' : `, ${origin.toLowerCase()}`;
  return `${OUTCOMES[outcome].name}${count}${asked}${reason === null ? '' : REASONS[reason]}`;
}

/** Describe a record beside the name of its outcome: `on request`, or `12 ticks: no worker was free in time`. */
export function detailOf(tick: Tick): string {
  return describeTick(tick).slice(OUTCOMES[tick.outcome].name.length).replace(/^[:,]? /, '');
}

/** Newest first; of two records of one instant, the later decision. */
export function newestTick(a: Tick, b: Tick): number {
  return (
    b.scheduledTime.localeCompare(a.scheduledTime) ||
    b.recordedAt.localeCompare(a.recordedAt) ||
    b.id.localeCompare(a.id)
  );
}
