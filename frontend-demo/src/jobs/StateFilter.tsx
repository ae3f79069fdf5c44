/** Counts of the jobs in view by state; one can be chosen to see it alone. */
import type { JobState } from '../generated';
import type { Job } from './jobsFeed';
import { JOB_STATES, STATE_NAMES, tone } from './states';

type StateFilterProps = {
  jobs: Job[];
  chosen: JobState | null;
  onChoose: (state: JobState | null) => void;
};

export function StateFilter({ jobs, chosen, onChoose }: StateFilterProps) {
  return (
    <div className="filter" role="group" aria-label="Show jobs by state">
      {JOB_STATES.map((state) => (
        <button
          key={state}
          type="button"
          className={`filter-button ${tone(state)}`}
          aria-pressed={chosen === state}
          onClick={() => onChoose(chosen === state ? null : state)}
        >
          <span className="dot" aria-hidden="true" />
          {STATE_NAMES[state]}
          <span className="count">{jobs.filter((job) => job.state === state).length}</span>
        </button>
      ))}
    </div>
  );
}
