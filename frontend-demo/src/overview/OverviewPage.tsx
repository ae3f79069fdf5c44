/** What happens now: the jobs by state, what needs attention, charts of a range, the running jobs, the workers. */
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { Link, useSearchParams } from 'react-router';
import type { ActivityRange } from '../generated';
import { formatExact } from '../time/format';
import { Page } from '../ui/Page';
import { QueryNotice } from '../ui/QueryNotice';
import { Skeleton } from '../ui/Skeleton';
import { ActivityCharts } from './ActivityCharts';
import { Capacity } from './Capacity';
import { CronProblems } from './CronProblems';
import { RunningJobs } from './RunningJobs';
import { StateCounts } from './StateCounts';
import { UnresolvedAlerts } from './UnresolvedAlerts';
import { useActivity } from './useActivity';
import styles from './Overview.module.css';

const RANGES: Record<string, { range: ActivityRange; label: string }> = {
  '15min': { range: 'FIFTEEN_MINUTES', label: '15 min' },
  '1h': { range: 'ONE_HOUR', label: '1 h' },
  '24h': { range: 'ONE_DAY', label: '24 h' },
};
const DEFAULT_RANGE = '15min';

function RangeChoice({ chosen, onChoose }: { chosen: string; onChoose: (range: string) => void }) {
  return (
    <ToggleGroup
      className="toggle-group"
      aria-label="Time range"
      value={[chosen]}
      onValueChange={([range]) => range && onChoose(range)}
    >
      {Object.entries(RANGES).map(([name, { label }]) => (
        <Toggle key={name} value={name} className="toggle">
          {label}
        </Toggle>
      ))}
    </ToggleGroup>
  );
}

export default function OverviewPage() {
  const [parameters, setParameters] = useSearchParams();
  const asked = parameters.get('range') ?? DEFAULT_RANGE;
  const chosen = asked in RANGES ? asked : DEFAULT_RANGE;
  const { activity, error } = useActivity(RANGES[chosen]!.range);
  return (
    <Page
      title="Overview"
      actions={<RangeChoice chosen={chosen} onChoose={(range) => setParameters({ range }, { replace: true })} />}
    >
      <div className={styles.overview}>
        <StateCounts />
        <div className="columns">
          <UnresolvedAlerts />
          <CronProblems />
        </div>
        <QueryNotice error={error} />
        {activity ? <ActivityCharts activity={activity} /> : !error && <Skeleton label="charts" />}
        {activity && (
          <p className="hint">
            The charts count attempts of jobs. Failures that functions record while their jobs succeed are listed on{' '}
            <Link to="/failures">Failures</Link>.
          </p>
        )}
        {activity?.countedFrom && (
          <p className="hint">
            The charts count only your jobs due after {formatExact(Date.parse(activity.countedFrom))}: you have too
            many for the whole range.
          </p>
        )}
        <div className="columns">
          <RunningJobs />
          <Capacity />
        </div>
      </div>
    </Page>
  );
}
