/** Schedules in words, such as "every 5 min" or "At 03:00, only on Monday". */
import cronstrue from 'cronstrue';
import { formatDuration } from '../time/format';

export type ScheduleInput =
  | { __typename: 'IntervalSchedule'; ms: number }
  | { __typename: 'CronSchedule'; cronspec: string; tz: string };

/** Explain a cronspec; null if it cannot be explained. The server decides whether it is valid. */
export function describeCronspec(cronspec: string): string | null {
  try {
    return cronstrue.toString(cronspec, { use24HourTimeFormat: true });
  } catch {
    return null;
  }
}

export function describeSchedule(schedule: ScheduleInput): string {
  if (schedule.__typename === 'IntervalSchedule') return `every ${formatDuration(schedule.ms)}`;
  return describeCronspec(schedule.cronspec) ?? schedule.cronspec;
}
