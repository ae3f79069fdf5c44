/** Counts of the jobs by state; selecting a state shows only its jobs. */
import type { JobState } from '../generated';
import { JOB_STATES, STATE_NAMES, tone } from './states';

type StateFilterProps = {
  /** The texts of the counts that are known. */
  counts: Partial<Record<JobState, string>>;
  chosen: JobState | '';
  onChoose: (state: JobState | '') => void;
};

export function StateFilter({ counts, chosen, onChoose }: StateFilterProps) {
  return (
    <div className="filter" role="group" aria-label="Show jobs by state">
      {JOB_STATES.map((state) => (
        <button
          key={state}
          type="button"
          className={`filter-button ${tone(state)}`}
          aria-pressed={chosen === state}
          onClick={() => onChoose(chosen === state ? '' : state)}
        >
          <span className="dot" aria-hidden="true" />
          {STATE_NAMES[state]}
          {counts[state] !== undefined && <span className="count">{counts[state]}</span>}
        </button>
      ))}
    </div>
  );
}
