/** What the page shows of the failures, and what can be done with all that it shows. */
import { ListFilter } from 'lucide-react';
import { useSession } from '../app/session';
import { ActiveFilters } from '../filter/ActiveFilters';
import type { Question } from '../ui/ConfirmDialog';
import { FormDialog } from '../ui/FormDialog';
import { BulkButtons } from './BulkButtons';
import { offerOfAll } from './changes';
import { FilterForm } from './FilterForm';
import { NO_FILTER, activeFilters } from './filter';
import type { FailuresFilter } from './filter';

type ToolbarProps = {
  filter: FailuresFilter;
  onFilter: (filter: FailuresFilter) => void;
  isEmpty: boolean;
  ask: (question: Question) => void;
};

export function FailuresToolbar({ filter, onFilter, isEmpty, ask }: ToolbarProps) {
  const { viewer } = useSession();
  const label = (
    <>
      <ListFilter aria-hidden="true" size={15} />
      Filter
    </>
  );
  return (
    <div className="toolbar">
      <div className="tools">
        <FormDialog className="with-icon" title="Filter failures" action={label}>
          {(close) => <FilterForm filter={filter} onChange={onFilter} onClose={close} />}
        </FormDialog>
        {!isEmpty && (
          <BulkButtons
            offer={offerOfAll(filter, viewer.isAdmin)}
            label="Resolve all…"
            target="all matching failures"
            ask={ask}
          />
        )}
      </div>
      <ActiveFilters
        filters={activeFilters(filter)}
        onRemove={(name) => onFilter({ ...filter, [name]: '' })}
        onClear={() => onFilter(NO_FILTER)}
      />
    </div>
  );
}
