/** Shown in place of an empty list of jobs. */
import { NO_FILTER, namesSet } from './filter';
import type { JobsFilter } from './filter';
import { NONE_IN_STATE } from './states';

type NoJobsProps = { filter: JobsFilter; onFilter: (filter: JobsFilter) => void };

export function NoJobs({ filter, onFilter }: NoJobsProps) {
  const isFiltered = namesSet(filter).length > 0;
  if (!isFiltered && filter.state === '') {
    return <p className="empty">No jobs yet. Schedule one, or register a cron and watch it tick.</p>;
  }
  return (
    <div className="empty">
      <p>{isFiltered || filter.state === '' ? 'No jobs match the filter.' : NONE_IN_STATE[filter.state]}</p>
      <button type="button" onClick={() => onFilter(NO_FILTER)}>
        Show all jobs
      </button>
    </div>
  );
}
