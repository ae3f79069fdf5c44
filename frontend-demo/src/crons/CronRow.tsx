/** A cron: its schedule, last and next run, and actions. */
import { memo } from 'react';
import { Link } from 'react-router';
import { Since } from '../time/Instant';
import { formatDuration } from '../time/format';
import { CronActions } from './CronActions';
import type { Cron } from './cronsFeed';
import { NextTick } from './NextTick';

function ScheduleText({ schedule }: { schedule: Cron['schedule'] }) {
  if (schedule.__typename === 'IntervalSchedule') return <>every {formatDuration(schedule.ms)}</>;
  return (
    <>
      <code>{schedule.cronspec}</code> {schedule.tz}
    </>
  );
}

function CronRowView({ cron }: { cron: Cron }) {
  return (
    <li
      className={`row cron ${cron.enabled ? 'tone-enabled' : 'tone-paused'}`}
      data-cron={cron.name}
      data-enabled={cron.enabled}
    >
      <div className="row-main">
        <p className="row-title">
          {/* A new key restarts the pulse animation at each tick. */}
          <span key={cron.lastRunTime} className="pulse" aria-hidden="true" />
          <Link to={`/crons/${cron.id}`} className="row-link">
            <strong>{cron.name}</strong>
          </Link>
          {!cron.enabled && <span className="tag">paused</span>}
        </p>
        <p className="row-note">
          <ScheduleText schedule={cron.schedule} /> · <code>{cron.functionName}</code>
        </p>
        <p className="row-note row-runs">
          {cron.enabled && <NextTick at={cron.nextRunTime} before="next " past="was due " />}
          {cron.lastRunTime ? <Since at={cron.lastRunTime} before="ran " /> : <span>never ran</span>}
        </p>
        {cron.warnings.map(({ message }) => (
          <p key={message} className="row-note row-warning">
            {message}
          </p>
        ))}
      </div>
      <CronActions cron={cron} />
    </li>
  );
}

export const CronRow = memo(CronRowView, (a, b) => a.cron === b.cron);
