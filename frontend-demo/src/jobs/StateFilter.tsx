/** Counts of the newest jobs by state; selecting a state shows only its jobs. */
import type { JobState } from '../generated';
import type { Job } from './jobsFeed';
import { NEWEST } from './jobsFeed';
import { JOB_STATES, STATE_NAMES, tone } from './states';

type StateFilterProps = {
  /** Null while unknown. */
  jobs: Job[] | null;
  /** Whether there are more jobs, which are not counted. */
  more: boolean;
  chosen: JobState | null;
  onChoose: (state: JobState | null) => void;
};

export function StateFilter({ jobs, more, chosen, onChoose }: StateFilterProps) {
  return (
    <div className="filter" role="group" aria-label="Show jobs by state">
      {JOB_STATES.map((state) => (
        <button
          key={state}
          type="button"
          className={`filter-button ${tone(state)}`}
          title={more ? `Among the newest ${NEWEST} jobs` : undefined}
          aria-pressed={chosen === state}
          onClick={() => onChoose(chosen === state ? null : state)}
        >
          <span className="dot" aria-hidden="true" />
          {STATE_NAMES[state]}
          {jobs && !(more && chosen === state) && (
            <span className="count">{jobs.filter((job) => job.state === state).length}</span>
          )}
        </button>
      ))}
    </div>
  );
}
