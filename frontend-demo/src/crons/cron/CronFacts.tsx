/** A cron's schedule and policies. */
import type { ReactNode } from 'react';
import type { CronDetailsFragment } from '../../generated';
import { formatDuration, formatExact } from '../../time/format';
import { Since } from '../../time/Instant';
import { counted } from '../../ui/counted';
import { Facts } from '../../ui/Facts';
import { PAUSED_BECAUSE } from '../attention';
import { describeSchedule } from '../describeSchedule';
import { describeExclusions, exclusionsOf } from '../form/exclusions';
import { NextTick } from '../NextTick';

const OVERLAP: Record<CronDetailsFragment['overlap'], string> = {
  SKIP: 'skipped while the previous run has not ended',
  QUEUE: 'runs after the previous run has ended',
  ALLOW: 'runs beside the previous run',
};

const CATCH_UP: Record<CronDetailsFragment['catchUp'], string> = {
  SKIP: 'missed ticks are skipped',
  LATEST: 'the latest missed tick runs',
  ALL: 'every missed tick runs, up to the newest 500',
};

const GAP = { NEXT: 'runs right after a skipped time', SKIP: 'does not run at a skipped time' };
const FOLD = { FIRST: 'runs once at a repeated time', LAST: 'runs at the end of a repeated time', BOTH: 'runs twice at a repeated time' };

type Fact = [name: string, value: ReactNode];

function scheduleFacts({ schedule }: CronDetailsFragment): Fact[] {
  if (schedule.__typename !== 'CronSchedule') return [];
  return [
    ['Cronspec', <code>{schedule.cronspec}</code>],
    ['Time zone', schedule.tz],
    ['Clock changes', `${GAP[schedule.onGap]}, ${FOLD[schedule.onFold]}`],
  ];
}

/** Only the limits that are set. */
function limitFacts(cron: CronDetailsFragment): Fact[] {
  const { maxRuns, catchUpWindowMs, pauseAfterFailures, startAt, endAt, jitterMs } = cron;
  const facts: [string, string | null][] = [
    ['Days without runs', describeExclusions(exclusionsOf(cron))],
    ['Catch-up window', catchUpWindowMs === null ? null : formatDuration(catchUpWindowMs)],
    ['Maximum runs', maxRuns === null ? null : maxRuns.toLocaleString()],
    ['Pause after', pauseAfterFailures === null ? null : `${counted(pauseAfterFailures, 'failed run')} in a row`],
    ['Jitter', jitterMs === 0 ? null : `up to ${formatDuration(jitterMs)}`],
    ['Start', startAt && formatExact(Date.parse(startAt))],
    ['End', endAt && formatExact(Date.parse(endAt))],
  ];
  return facts.filter(([, value]) => value !== null);
}

function factsOf(cron: CronDetailsFragment): Fact[] {
  const paused = cron.pausedBecause && `none: ${PAUSED_BECAUSE[cron.pausedBecause]}`;
  return [
    ['Schedule', describeSchedule(cron.schedule)],
    ...scheduleFacts(cron),
    ['Function', <code>{cron.functionName}</code>],
    ['Next tick', cron.enabled ? <NextTick at={cron.nextRunTime} past="was due " /> : (paused ?? 'none while it is paused')],
    ['Last run', cron.lastRunTime ? <Since at={cron.lastRunTime} /> : 'never'],
    ['Overlap', OVERLAP[cron.overlap]],
    ['Catch-up', CATCH_UP[cron.catchUp]],
    ...limitFacts(cron),
  ];
}

export function CronFacts({ cron }: { cron: CronDetailsFragment }) {
  return <Facts facts={factsOf(cron)} />;
}
