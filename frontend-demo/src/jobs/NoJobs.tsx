/** Shown in place of an empty list of jobs. */
import { NO_FILTER, activeFilters } from './filter';
import type { JobsFilter } from './filter';
import { NONE_IN_STATE } from './states';

type NoJobsProps = { filter: JobsFilter; onFilter: (filter: JobsFilter) => void };

function textFor(filter: JobsFilter): string {
  if (filter.args !== '') return 'No loaded jobs have these arguments.';
  return filter.state === '' || activeFilters(filter).length > 0 ? 'No jobs match the filter.' : NONE_IN_STATE[filter.state];
}

export function NoJobs({ filter, onFilter }: NoJobsProps) {
  if (filter.state === '' && activeFilters(filter).length === 0) {
    return <p className="empty">No jobs yet. Schedule one, or register a cron and watch it tick.</p>;
  }
  return (
    <div className="empty">
      <p>{textFor(filter)}</p>
      <button type="button" onClick={() => onFilter(NO_FILTER)}>
        Show all jobs
      </button>
    </div>
  );
}
