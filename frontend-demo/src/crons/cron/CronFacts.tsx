/** A cron's schedule and policies. */
import type { ReactNode } from 'react';
import type { CronDetailsFragment } from '../../generated';
import { formatDuration } from '../../time/format';
import { Since, Until } from '../../time/Instant';
import { Facts } from '../../ui/Facts';
import { describeSchedule } from '../describeSchedule';

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

function factsOf(cron: CronDetailsFragment): [string, ReactNode][] {
  const { schedule } = cron;
  const expression: [string, ReactNode][] =
    schedule.__typename === 'CronSchedule'
      ? [
          ['Cronspec', <code>{schedule.cronspec}</code>],
          ['Time zone', schedule.tz],
        ]
      : [];
  return [
    ['Schedule', describeSchedule(schedule)],
    ...expression,
    ['Function', <code>{cron.functionName}</code>],
    ['Next tick', cron.enabled ? <Until at={cron.nextRunTime} /> : 'none while it is paused'],
    ['Last run', cron.lastRunTime ? <Since at={cron.lastRunTime} /> : 'never'],
    ['Overlap', OVERLAP[cron.overlap]],
    ['Catch-up', CATCH_UP[cron.catchUp]],
    ['Jitter', cron.jitterMs === 0 ? 'none' : `up to ${formatDuration(cron.jitterMs)}`],
    ['Start', cron.startAt ? new Date(cron.startAt).toLocaleString() : 'none'],
    ['End', cron.endAt ? new Date(cron.endAt).toLocaleString() : 'none'],
    ['Skipped ticks', cron.skippedTicks.toLocaleString()],
  ];
}

export function CronFacts({ cron }: { cron: CronDetailsFragment }) {
  return <Facts facts={factsOf(cron)} />;
}
