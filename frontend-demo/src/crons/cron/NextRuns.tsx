/** The next ticks of a cron, in its time zone and the browser's. */
import type { CronDetailsFragment } from '../../generated';
import { formatExact } from '../../time/format';
import { NextTick } from '../NextTick';

export function NextRuns({ cron }: { cron: CronDetailsFragment }) {
  const { schedule, nextRuns } = cron;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zone = schedule.__typename === 'CronSchedule' ? schedule.tz : own;
  if (nextRuns.length === 0) return <p className="empty">No further ticks: the schedule has ended.</p>;
  return (
    <>
      <ol className="facts">
        {nextRuns.map((at) => (
          <li key={at} className="next-run">
            <span title={formatExact(Date.parse(at))}>{formatExact(Date.parse(at), zone)}</span>
            <span className="hint">
              <NextTick at={at} past="was due " />
            </span>
          </li>
        ))}
      </ol>
      <p className="foot hint">Times in {zone}</p>
    </>
  );
}
