/** Counts of the newest jobs by state; one can be chosen to see its jobs alone. */
import type { JobState } from '../generated';
import type { Job } from './jobsFeed';
import { NEWEST } from './jobsFeed';
import { JOB_STATES, STATE_NAMES, tone } from './states';

type StateFilterProps = {
  /** Null while they are not known. */
  jobs: Job[] | null;
  /** Whether there are others, which are not counted. */
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
          title={more ? `Counted among the newest ${NEWEST}` : undefined}
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
