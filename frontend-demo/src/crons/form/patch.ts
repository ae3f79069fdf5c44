/** What an edit of a cron changes: only fields that differ are sent, so that nobody's change is undone. */
import type { CronDetailsFragment, UpdateCronInput } from '../../generated';
import type { EnteredPolicies, EnteredSchedule } from './values';

export type Patch = Omit<UpdateCronInput, 'cronId'>;

type Entered = { name: string; functionName: string; args: unknown; schedule: EnteredSchedule; policies: EnteredPolicies };

function sameInstant(a: string | null, b: string | null): boolean {
  // A form field has whole seconds.
  const seconds = (at: string | null) => (at === null ? null : Math.floor(Date.parse(at) / 1_000));
  return seconds(a) === seconds(b);
}

export function scheduleOf({ schedule }: CronDetailsFragment): EnteredSchedule {
  if (schedule.__typename === 'IntervalSchedule') return { intervalMs: schedule.ms };
  return { cronspec: schedule.cronspec, tz: schedule.tz };
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function patchOf(cron: CronDetailsFragment, entered: Entered): Patch {
  const { name, functionName, args, schedule, policies } = entered;
  return {
    ...(name !== cron.name && { name }),
    ...(functionName !== cron.functionName && { functionName }),
    ...(!equal(args, cron.args) && { args }),
    ...(!equal(schedule, scheduleOf(cron)) && schedule),
    ...(policies.overlap !== cron.overlap && { overlap: policies.overlap }),
    ...(policies.catchUp !== cron.catchUp && { catchUp: policies.catchUp }),
    ...(policies.jitterMs !== cron.jitterMs && { jitterMs: policies.jitterMs }),
    ...(!sameInstant(policies.startAt, cron.startAt) && { startAt: policies.startAt }),
    ...(!sameInstant(policies.endAt, cron.endAt) && { endAt: policies.endAt }),
  };
}
