/** Counts of the jobs by state; selecting a state shows only its jobs. */
import type { JobState } from '../generated';
import { countText } from './counts';
import type { JobCounts } from './counts';
import { JOB_STATES, STATE_NAMES, tone } from './states';

type StateFilterProps = {
  /** Those that are known. */
  counts: JobCounts;
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
          {counts[state] && <span className="count">{countText(counts[state])}</span>}
        </button>
      ))}
    </div>
  );
}
