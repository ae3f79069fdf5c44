/** What became of each planned tick, live: by day, a strip of the newest, and a list with the reasons. */
import { Link } from 'react-router';
import { useLiveQuery } from 'ostinato-client/urql';
import { CronTicksChangedDocument } from '../../generated';
import { formatExact } from '../../time/format';
import { Card } from '../../ui/Card';
import { Chip } from '../../ui/Chip';
import { Rows } from '../../ui/Rows';
import { DayStrip } from './DayStrip';
import { OUTCOMES, describeTick, detailOf, newestTick } from './ticks';
import type { Tick } from './ticks';
import styles from './Ledger.module.css';

/** As many records as the server sends; the days are counted from them. A record may have many ticks. */
const KEPT = 1_000;
const SHOWN = 100;
const IN_STRIP = 60;

function timeOf({ scheduledTime, lastScheduledTime }: Tick): string {
  const first = formatExact(Date.parse(scheduledTime));
  if (lastScheduledTime === scheduledTime) return first;
  return `${first} to ${formatExact(Date.parse(lastScheduledTime))}`;
}

/** The oldest at the left. */
function Strip({ ticks }: { ticks: readonly Tick[] }) {
  const shown = ticks.slice(0, IN_STRIP).toReversed();
  return (
    <ol className={styles.strip} aria-label="Newest ticks, the oldest first">
      {shown.map((tick) => (
        <li key={tick.id} className={OUTCOMES[tick.outcome].tone} title={`${timeOf(tick)}: ${describeTick(tick)}`}>
          <span className="unseen">{describeTick(tick)}</span>
        </li>
      ))}
    </ol>
  );
}

function TickItem({ tick }: { tick: Tick }) {
  const { name, tone } = OUTCOMES[tick.outcome];
  return (
    <li className={styles.tick} data-outcome={tick.outcome}>
      <Chip tone={tone}>{name}</Chip>
      <span>{detailOf(tick)}</span>
      {tick.jobId && <Link to={`/jobs/${tick.jobId}`}>job</Link>}
      <span className={styles.time}>{timeOf(tick)}</span>
    </li>
  );
}

type LedgerProps = {
  cronId: string;
  /** The time zone of its days; undefined for that of the browser. */
  zone: string | undefined;
};

export function Ledger({ cronId, zone }: LedgerProps) {
  const view = useLiveQuery(CronTicksChangedDocument, { cronId }, { limit: KEPT, order: newestTick });
  const oldest = view.rows.at(-1);
  return (
    <Card title={view.rows.length > SHOWN ? `Newest ${SHOWN} records of ticks` : 'Ticks'}>
      {view.rows.length > 0 && (
        <>
          <DayStrip ticks={view.rows} zone={zone} />
          {view.truncated && oldest && (
            <p className={`hint ${styles.since}`}>
              The days show the newest {KEPT.toLocaleString()} records of ticks, since {formatExact(Date.parse(oldest.scheduledTime))}.
            </p>
          )}
          <Strip ticks={view.rows} />
        </>
      )}
      <div className={styles.list}>
        <Rows
          label="Ticks"
          empty="No tick has been due yet."
          view={view}
          entities={view.rows.slice(0, SHOWN)}
          row={(tick) => <TickItem key={tick.id} tick={tick} />}
        />
      </div>
    </Card>
  );
}
