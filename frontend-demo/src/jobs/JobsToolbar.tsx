/** What the page shows of the jobs: their filter, and whether it is paused. */
import { ListChecks, ListFilter, Pause, Play } from 'lucide-react';
import { ActiveFilters } from '../filter/ActiveFilters';
import { counted } from '../ui/counted';
import { FormDialog } from '../ui/FormDialog';
import { ArgsSearch } from './ArgsSearch';
import { BulkMenu } from './bulk/BulkMenu';
import type { JobCounts } from './counts';
import { FilterForm } from './FilterForm';
import { NO_FILTER, activeFilters } from './filter';
import type { JobsFilter } from './filter';
import type { Selecting } from './select/useSelection';
import { StateFilter } from './StateFilter';
import type { HeldJobs } from './useHeldJobs';

type JobsToolbarProps = {
  counts: JobCounts;
  held: HeldJobs;
  filter: JobsFilter;
  onFilter: (filter: JobsFilter) => void;
  selecting: Selecting;
};

function PauseButton({ held }: { held: HeldJobs }) {
  const { paused, waiting } = held;
  const Icon = paused ? Play : Pause;
  return (
    <>
      <button type="button" className="with-icon" aria-pressed={paused} onClick={paused ? held.resume : held.pause}>
        <Icon aria-hidden="true" size={15} />
        {paused ? 'Resume' : 'Pause'}
      </button>
      {paused && (
        <span className="chip tone-pending" role="status" data-waiting={waiting}>
          Paused · {counted(waiting, 'change waits', 'changes wait')}
        </span>
      )}
    </>
  );
}

function SelectButton({ selecting: { selection, start, end } }: { selecting: Selecting }) {
  return (
    <button type="button" className="with-icon" aria-pressed={selection !== null} onClick={selection ? end : start}>
      <ListChecks aria-hidden="true" size={15} />
      Select
    </button>
  );
}

export function JobsToolbar({ counts, held, filter, onFilter, selecting }: JobsToolbarProps) {
  return (
    <div className="toolbar">
      <StateFilter counts={counts} chosen={filter.state} onChoose={(state) => onFilter({ ...filter, state })} />
      <div className="tools">
        <ArgsSearch value={filter.args} onChange={(args) => onFilter({ ...filter, args })} />
        <FormDialog
          className="with-icon"
          title="Filter jobs"
          action={
            <>
              <ListFilter aria-hidden="true" size={15} />
              Filter
            </>
          }
        >
          {(close) => <FilterForm filter={filter} onChange={onFilter} onClose={close} />}
        </FormDialog>
        <BulkMenu filter={filter} counts={counts} />
        <SelectButton selecting={selecting} />
        <PauseButton held={held} />
      </div>
      <ActiveFilters
        filters={activeFilters(filter)}
        onRemove={(name) => onFilter({ ...filter, [name]: '' })}
        onClear={() => onFilter({ ...NO_FILTER, state: filter.state })}
      />
    </div>
  );
}
