/** What attempts did: how many ended and how, how long they ran, and how late they started. */
import { TimeChart } from '../charts/TimeChart';
import { formatRounded } from '../time/format';
import type { Activity, Point } from './useActivity';
import styles from './Overview.module.css';

function values(points: readonly Point[], read: (point: Point) => number | null) {
  return points.map(read);
}

function formatCount(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString() : '';
}

export function ActivityCharts({ activity: { points } }: { activity: Activity }) {
  const times = points.map(({ start }) => Date.parse(start) / 1_000);
  const durations = (name: 'runTime' | 'lateness') => [
    { name: 'p95', colour: '--accent', values: values(points, (point) => point[name].p95Ms) },
    { name: 'median', colour: '--success', values: values(points, (point) => point[name].p50Ms) },
  ];
  return (
    <div className={styles.charts}>
      <div className="card">
        <TimeChart
          label="Jobs that succeeded"
          kind="bars"
          times={times}
          format={formatCount}
          series={[{ name: 'succeeded', colour: '--success', values: values(points, ({ succeeded }) => succeeded) }]}
        />
      </div>
      <div className="card">
        <TimeChart
          label="Failed attempts"
          kind="bars"
          times={times}
          format={formatCount}
          series={[
            {
              name: 'retried',
              colour: '--pending-bar',
              values: values(points, ({ retried }) => retried),
              drawn: values(points, ({ retried, failed }) => retried + failed),
            },
            { name: 'job failed', colour: '--failed', values: values(points, ({ failed }) => failed) },
          ]}
        />
      </div>
      <div className="card">
        <TimeChart label="Run time" kind="lines" times={times} format={formatRounded} series={durations('runTime')} />
      </div>
      <div className="card">
        <TimeChart label="Lateness" kind="lines" times={times} format={formatRounded} series={durations('lateness')} />
      </div>
    </div>
  );
}
