/** Which ticks of the past a backfill runs, and which period it can run at once. No I/O. */
import type { BackfillCronMutation, CronDetailsFragment, PreviewCronInput } from '../../generated';
import { fieldIssue } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import { formatExact } from '../../time/format';
import { counted } from '../../ui/counted';
import { exclusionsInput, exclusionsOf } from '../form/exclusions';
import { scheduleOf } from '../form/patch';
import type { PlannedTick } from '../form/preview';

export type Period = { from: string; to: string };

type Ticks = readonly Pick<PlannedTick, 'dueAt' | 'willRun'>[];

/** The server runs so many at once. */
const MAX_TICKS = 500;
const READ = 2 * MAX_TICKS;
const DAY_MS = 86_400_000;
const SECOND_MS = 1_000;

export function ticksInput(cron: CronDetailsFragment, from: string): PreviewCronInput {
  return { ...scheduleOf(cron), exclusions: exclusionsInput(exclusionsOf(cron)), from, count: READ };
}

/** Return the ticks of the period that run; excluded ones do not. */
function runningIn(ticks: Ticks, { to }: Period): Ticks {
  const end = Date.parse(to);
  return ticks.filter(({ dueAt, willRun }) => willRun && Date.parse(dueAt) < end);
}

export function countIn(ticks: Ticks, period: Period): number {
  return runningIn(ticks, period).length;
}

/** Return the issue of a period with too many ticks, where the server has it, too; null if it can be run. */
export function issueOf(ticks: Ticks, period: Period): FormIssues | null {
  const first = runningIn(ticks, period)[MAX_TICKS];
  if (!first) return null;
  const end = formatExact(Date.parse(first.dueAt));
  return fieldIssue('to', `The period has more than ${MAX_TICKS} ticks: end it at ${end}, and continue from there.`);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

/** An interval has as many ticks in any period of the same length. */
function lengthOf({ schedule }: Pick<CronDetailsFragment, 'schedule'>): number {
  if (schedule.__typename !== 'IntervalSchedule') return DAY_MS;
  return Math.min(DAY_MS, Math.floor((MAX_TICKS * schedule.ms) / SECOND_MS) * SECOND_MS);
}

/**
 * Return as much of the day before `end` as can be run at once.
 * @param readTicks reads the first ticks of the schedule from an instant on.
 */
export async function latestPeriod(
  cron: Pick<CronDetailsFragment, 'schedule'>,
  end: number,
  readTicks: (from: string) => Promise<Ticks>,
): Promise<Period> {
  const to = instant(end);
  let length = lengthOf(cron);
  if (cron.schedule.__typename === 'IntervalSchedule') return { from: instant(end - length), to };
  for (;;) {
    const period = { from: instant(end - length), to };
    const ticks = await readTicks(period.from);
    const last = Date.parse(ticks.at(-1)?.dueAt ?? to);
    if (ticks.length < READ || last >= end) {
      const running = runningIn(ticks, period);
      return running.length > MAX_TICKS ? { ...period, from: running.at(-MAX_TICKS)!.dueAt } : period;
    }
    // As long as what was read, if the ticks are as dense at the end.
    length = Math.min(length / 2, last - (end - length));
  }
}

type Backfilled = Pick<NonNullable<BackfillCronMutation['backfillCron']>, 'started' | 'alreadyRan'>;

/** Describe what a backfill did. Queued runs start one after another, after those that wait already. */
export function describeBackfill(
  { started, alreadyRan }: Backfilled,
  { overlap }: Pick<CronDetailsFragment, 'overlap'>,
): { title: string; description?: string } {
  const inTurn = overlap === 'QUEUE' && started > 1;
  const title = inTurn ? `${counted(started, 'tick')} will run one after another` : `Started ${counted(started, 'run')}`;
  if (alreadyRan === 0) return { title };
  return { title, description: `${counted(alreadyRan, 'tick')} had run already, or ${alreadyRan === 1 ? 'waits' : 'wait'} to run.` };
}
