/** How many jobs are selected, and what can be done with them. */
import { Actions } from '../../ui/Actions';
import { counted } from '../../ui/counted';
import { FormDialog } from '../../ui/FormDialog';
import type { Job } from '../jobsFeed';
import { cancelSelected, filtersOf, retrySelected } from './actions';
import { SelectedForm } from './SelectedForm';
import { MAX_SELECTED } from './selection';
import type { Selecting } from './useSelection';

type SelectionBarProps = { selecting: Selecting; jobs: readonly Job[] };

function hintFor(selected: readonly Job[]): string {
  if (selected.length === 0) return 'Select jobs with their checkboxes; with Shift, a range.';
  if (selected.length >= MAX_SELECTED) return `At most ${MAX_SELECTED} jobs: use Change all for more.`;
  return '';
}

export function SelectionBar({ selecting, jobs }: SelectionBarProps) {
  const { selection, start, end } = selecting;
  if (!selection) return null;
  const selected = jobs.filter(({ id }) => selection.ids.has(id));
  const isPossible = filtersOf(selected).length > 0;
  const done = { onDone: start }; // what has been changed is not selected any more
  return (
    <div className="selection-bar" role="region" aria-label="Selected jobs">
      <strong role="status">{selected.length} selected</strong>
      <span className="hint">{hintFor(selected)}</span>
      {isPossible && (
        <>
          <Actions
            actions={[
              { ...cancelSelected(selected), ...done },
              { ...retrySelected(selected), ...done },
            ]}
            target={counted(selected.length, 'selected job')}
          />
          <FormDialog action="Reschedule" title="Reschedule the selected jobs" className="small">
            {(close) => <SelectedForm jobs={selected} onDone={start} onClose={close} />}
          </FormDialog>
        </>
      )}
      <button type="button" className="small" onClick={end}>
        Done
      </button>
    </div>
  );
}
