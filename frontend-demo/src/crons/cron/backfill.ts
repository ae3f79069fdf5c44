/** How many ticks of a cron a period of the past has. No I/O. */
import type { CronDetailsFragment, PreviewCronInput } from '../../generated';
import { exclusionsInput, exclusionsOf } from '../form/exclusions';
import { scheduleOf } from '../form/patch';
import type { PlannedTick } from '../form/preview';

export type Period = { from: string; to: string };

/** The server runs so many at once. */
export const MAX_TICKS = 500;

export function countInput(cron: CronDetailsFragment, { from }: Period): PreviewCronInput {
  return { ...scheduleOf(cron), exclusions: exclusionsInput(exclusionsOf(cron)), from, count: 2 * MAX_TICKS };
}

/** Return the number of ticks of the period that run; excluded ones do not. */
export function countIn(ticks: readonly Pick<PlannedTick, 'dueAt' | 'willRun'>[], { to }: Period): number {
  const end = Date.parse(to);
  return ticks.filter(({ dueAt, willRun }) => willRun && Date.parse(dueAt) < end).length;
}
