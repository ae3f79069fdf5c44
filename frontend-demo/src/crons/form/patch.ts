/** What an edit of a cron changes: only fields that differ are sent, so that nobody's change is undone. */
import type { CronDetailsFragment, UpdateCronInput } from '../../generated';
import { exclusionsInput, exclusionsOf } from './exclusions';
import type { EnteredCron, EnteredPolicies, EnteredSchedule } from './values';

export type Patch = Omit<UpdateCronInput, 'cronId'>;

function sameInstant(a: string | null, b: string | null): boolean {
  // A form field has whole seconds.
  const seconds = (at: string | null) => (at === null ? null : Math.floor(Date.parse(at) / 1_000));
  return seconds(a) === seconds(b);
}

export function scheduleOf({ schedule }: CronDetailsFragment): EnteredSchedule {
  if (schedule.__typename === 'IntervalSchedule') return { intervalMs: schedule.ms };
  const { cronspec, tz, onGap, onFold } = schedule;
  return { cronspec, tz, onGap, onFold };
}

export function policiesOf(cron: CronDetailsFragment): EnteredPolicies {
  const { overlap, catchUp, jitterMs, catchUpWindowMs, maxRuns, pauseAfterFailures, startAt, endAt } = cron;
  return { overlap, catchUp, jitterMs, catchUpWindowMs, maxRuns, pauseAfterFailures, startAt, endAt };
}

const HOUR_MS = 3_600_000;

/** How many days of runs are compared: one for short intervals, which have thousands of runs a day. */
export function comparedDays(...schedules: EnteredSchedule[]): number {
  const isShort = (each: EnteredSchedule) => 'intervalMs' in each && each.intervalMs < HOUR_MS;
  return schedules.some(isShort) ? 1 : 30;
}

/**
 * Return the newest planned tick of a cron with an interval, in milliseconds since 1970: a new interval counts from it.
 * Null for other schedules, and before the first tick.
 */
export function lastTick({ schedule, nextRunTime }: Pick<CronDetailsFragment, 'schedule' | 'nextRunTime'>, now: number): number | null {
  if (schedule.__typename !== 'IntervalSchedule') return null;
  const next = Date.parse(nextRunTime);
  const last = next + Math.floor((now - next) / schedule.ms) * schedule.ms;
  return next - last > schedule.ms ? null : last;
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A schedule is sent as a whole; what happens when the clocks change has fields of its own. */
function schedulePatch(before: EnteredSchedule, entered: EnteredSchedule): Patch {
  if ('intervalMs' in entered) return equal(before, entered) ? {} : entered;
  const { cronspec, tz, onGap, onFold } = entered;
  const known = 'cronspec' in before ? before : null;
  return {
    ...(!(known?.cronspec === cronspec && known.tz === tz) && { cronspec, tz }),
    ...(onGap !== (known?.onGap ?? 'NEXT') && { onGap }),
    ...(onFold !== (known?.onFold ?? 'FIRST') && { onFold }),
  };
}

function policiesPatch(before: EnteredPolicies, entered: EnteredPolicies): Patch {
  const names = Object.keys(before) as (keyof EnteredPolicies)[];
  const changed = names.filter((name) =>
    name === 'startAt' || name === 'endAt' ? !sameInstant(before[name], entered[name]) : before[name] !== entered[name],
  );
  return Object.fromEntries(changed.map((name) => [name, entered[name]]));
}

export function patchOf(cron: CronDetailsFragment, entered: EnteredCron): Patch {
  const { name, functionName, args, schedule, policies, exclusions } = entered;
  return {
    ...(name !== cron.name && { name }),
    ...(functionName !== cron.functionName && { functionName }),
    ...(!equal(args, cron.args) && { args }),
    ...schedulePatch(scheduleOf(cron), schedule),
    ...policiesPatch(policiesOf(cron), policies),
    ...(!equal(exclusions, exclusionsOf(cron)) && { exclusions: exclusionsInput(exclusions) }),
  };
}
