/** Which of the planned ticks of a preview are shown, and in which words. No I/O. */
import type { CronDetailsFragment, PreviewCronChangeInput, PreviewCronInput, PreviewQuery } from '../../generated';
import { exclusionsInput } from './exclusions';
import { comparedDays, lastTick, patchOf, scheduleOf } from './patch';
import type { EnteredCron } from './values';

export type PlannedTick = NonNullable<PreviewQuery['previewTicks']>[number];

const RUNS = 10;
/** Ticks that do not run are between those that do. */
const READ = 60;
/** Of ticks in a row that do not run. */
const MAX_IDLE = 5;

/** `last` is the newest tick of the cron that is changed, from which an interval counts. */
export function previewInput({ schedule, exclusions, policies }: EnteredCron, last: number | null, now: number): PreviewCronInput {
  const start = policies.startAt === null ? now : Date.parse(policies.startAt);
  let from = start > now ? policies.startAt : null;
  if (from === null && last !== null && 'intervalMs' in schedule) {
    const { intervalMs } = schedule;
    from = new Date(last + Math.max(Math.floor((now - last) / intervalMs) + 1, 1) * intervalMs).toISOString();
  }
  return { ...schedule, count: READ, exclusions: exclusionsInput(exclusions), ...(from !== null && { from }) };
}

export type PreviewVariables = { input: PreviewCronInput; change?: PreviewCronChangeInput };

/** Return what to preview: the next ticks after one moment and, for a changed cron, the runs that the edit changes. */
export function previewVariables(entered: EnteredCron, cron: CronDetailsFragment | null, now: number): PreviewVariables {
  const input = previewInput(entered, cron && lastTick(cron, now), now);
  const patch = cron ? patchOf(cron, entered) : {};
  if (!cron || Object.keys(patch).length === 0) return { input };
  return { input, change: { cronId: cron.id, days: comparedDays(scheduleOf(cron), entered.schedule), ...patch } };
}

export type Shown =
  | { kind: 'tick'; tick: PlannedTick; note: string | null }
  /** Further ticks that do not run. */
  | { kind: 'idle'; at: string; count: number };

function noteOf({ note, plannedTime }: PlannedTick): string | null {
  const time = plannedTime.slice(11, 16);
  switch (note) {
    case 'MOVED':
      return `the clocks skip ${time}`;
    case 'SKIPPED':
      return `does not run: the clocks skip ${time}`;
    case 'REPEATED':
      return `the second ${time} of this day`;
    case 'EXCLUDED':
      return 'does not run: excluded';
    case null:
      return null;
  }
}

/** Return the next ticks until ten of them run, or fewer if the cron ends before. */
export function shownTicks(ticks: readonly PlannedTick[], { policies }: Pick<EnteredCron, 'policies'>): Shown[] {
  const wanted = Math.min(RUNS, policies.maxRuns ?? RUNS);
  const shown: Shown[] = [];
  let [runs, idle] = [0, 0];
  for (const tick of ticks) {
    if (runs >= wanted || (policies.endAt !== null && tick.dueAt >= policies.endAt)) break;
    const last = shown.at(-1);
    if (tick.willRun) [runs, idle] = [runs + 1, 0];
    else idle += 1;
    if (idle <= MAX_IDLE) shown.push({ kind: 'tick', tick, note: noteOf(tick) });
    else if (last?.kind === 'idle') last.count += 1;
    else shown.push({ kind: 'idle', at: tick.dueAt, count: 1 });
  }
  return shown;
}
