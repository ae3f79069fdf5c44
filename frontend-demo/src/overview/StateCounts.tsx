/** The exact number of jobs in each state; each leads to these jobs. */
import { Link } from 'react-router';
import { CountsDocument } from '../generated';
import type { CountsQuery, JobState } from '../generated';
import { countText } from '../jobs/counts';
import { JOB_STATES, STATE_NAMES, tone } from '../jobs/states';
import { QueryNotice } from '../ui/QueryNotice';
import { usePolledQuery } from '../ui/usePolledQuery';
import styles from './Overview.module.css';

const FIELDS: Record<JobState, keyof CountsQuery> = {
  PENDING: 'pending',
  IN_PROGRESS: 'inProgress',
  SUCCESS: 'succeeded',
  FAILED: 'failed',
  CANCELED: 'canceled',
};

function textFor(data: CountsQuery | undefined, state: JobState): string {
  const found = data?.[FIELDS[state]]?.totalCount;
  return found ? countText(found) : '…';
}

function isEmpty(data: CountsQuery): boolean {
  return JOB_STATES.every((state) => data[FIELDS[state]]?.totalCount?.count === 0);
}

export function StateCounts() {
  const { data, error } = usePolledQuery(CountsDocument, {});
  return (
    <>
      <QueryNotice error={error} />
      {data && isEmpty(data) && (
        <p className="hint">
          Ostinato runs jobs: at once, later, on a schedule, and again if they fail. There are none yet. Run some on the{' '}
          <Link to="/playground">playground</Link>.
        </p>
      )}
      <ul className={styles.counts} aria-label="Jobs by state">
        {JOB_STATES.map((state) => (
          <li key={state}>
            <Link to={`/jobs?state=${state}`} className={`${styles.count} ${tone(state)}`}>
              <span className={styles.countName}>
                <span className="dot" aria-hidden="true" />
                {STATE_NAMES[state]}
              </span>
              <strong>{textFor(data, state)}</strong>
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}
