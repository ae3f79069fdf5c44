/** The newest weeks of a cron, a cell a day, with the colour of one of the day's outcomes. */
import { useMemo } from 'react';
import { useNow } from '../../time/now';
import { daysOf, describeDay, toneOf } from './days';
import styles from './Ledger.module.css';
import type { Tick } from './ticks';

const DAYS = 35;
const MINUTE_MS = 60_000;

export function DayStrip({ ticks, zone }: { ticks: readonly Tick[]; zone: string | undefined }) {
  const minute = Math.floor(useNow() / MINUTE_MS);
  const days = useMemo(() => daysOf(ticks, minute * MINUTE_MS, zone, DAYS), [ticks, minute, zone]);
  return (
    <ol className={styles.days} aria-label={`The last ${DAYS} days`}>
      {days.map((day) => (
        <li key={day.date} className={toneOf(day) ?? styles.none} title={describeDay(day)}>
          <span className="unseen">{describeDay(day)}</span>
          <span aria-hidden="true">{Number(day.date.slice(8))}</span>
        </li>
      ))}
    </ol>
  );
}
