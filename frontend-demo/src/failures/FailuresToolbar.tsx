/** What the page shows of the failures, and what can be done with all that it shows. */
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
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
import type { Group } from './useFailureGroups';

function StateChoice({ state, onChoose }: { state: string; onChoose: (state: string) => void }) {
  return (
    <ToggleGroup
      className="toggle-group"
      aria-label="State"
      value={[state || 'OPEN']}
      onValueChange={([chosen]) => chosen && onChoose(chosen === 'OPEN' ? '' : chosen)}
    >
      <Toggle value="OPEN" className="toggle">
        Open
      </Toggle>
      <Toggle value="RESOLVED" className="toggle">
        Resolved
      </Toggle>
    </ToggleGroup>
  );
}

type ToolbarProps = {
  filter: FailuresFilter;
  onFilter: (filter: FailuresFilter) => void;
  /** All that match; null if they are not all loaded. */
  groups: readonly Group[] | null;
  ask: (question: Question) => void;
};

export function FailuresToolbar({ filter, onFilter, groups, ask }: ToolbarProps) {
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
        <StateChoice state={filter.state} onChoose={(state) => onFilter({ ...filter, state })} />
        <FormDialog className="with-icon" title="Filter failures" action={label}>
          {(close) => <FilterForm filter={filter} onChange={onFilter} onClose={close} />}
        </FormDialog>
        {groups?.length !== 0 && filter.state === '' && (
          <BulkButtons
            offer={offerOfAll(filter, viewer.isAdmin, groups)}
            all=" all…"
            ask={ask}
          />
        )}
      </div>
      <ActiveFilters
        filters={activeFilters(filter)}
        onRemove={(name) => onFilter({ ...filter, [name]: '' })}
        onClear={() => onFilter({ ...NO_FILTER, state: filter.state })}
      />
    </div>
  );
}
