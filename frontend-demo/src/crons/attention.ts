/** Which crons do not run as planned, and why. No I/O. */
import type { LiveView } from 'ostinato-client';
import { formatSince, formatUntil } from '../time/format';
import type { Cron } from './cronsFeed';

/** A worker ticks within some seconds; after this time, none does. */
export const LATE_MS = 60_000;

type PauseReason = NonNullable<Cron['pausedBecause']>;

export const PAUSED_BECAUSE: Record<PauseReason, string> = {
  MAX_RUNS: 'it has run as often as it may',
  FAILED_RUNS: 'its last runs have failed',
  OWNER_SUSPENDED: 'its owner is suspended',
  ROLE_LOST: "its owner has lost the function's role",
};

/** Return why a cron needs attention; null if it runs as planned, or a user has paused it. */
export function problemOf(cron: Cron, now: number): string | null {
  const { enabled, nextRunTime, pausedBecause, warnings } = cron;
  if (pausedBecause === 'MAX_RUNS') return null; // as planned
  if (pausedBecause) return `Paused: ${PAUSED_BECAUSE[pausedBecause]}`;
  const due = Date.parse(nextRunTime);
  if (enabled && now - due > LATE_MS) return `Late: it was due ${formatSince(due, now)}`;
  return warnings[0]?.message ?? null;
}

/** Describe a list of crons without problems; of a truncated one, only the crons that are loaded are known. */
export function textWithoutProblems({ rows, truncated }: Pick<LiveView<unknown>, 'rows' | 'truncated'>): string {
  if (truncated) return `The ${rows.length.toLocaleString()} loaded crons run as planned; there are more.`;
  return rows.length === 0 ? 'There are no crons.' : 'All crons run as planned.';
}

/** A tick that is due, and not late yet, is `now`: it is about to run. */
export function formatNextTick(at: number, now: number): string {
  return at <= now && now - at <= LATE_MS ? 'now' : formatUntil(at, now);
}
