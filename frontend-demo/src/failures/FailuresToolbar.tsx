/** What the page shows of the failures, and what can be done with all that it shows. */
import { Toggle } from '@base-ui/react/toggle';
import { useId } from 'react';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { ListFilter } from 'lucide-react';
import { useSession } from '../app/session';
import { ActiveFilters } from '../filter/ActiveFilters';
import { FormDialog } from '../ui/FormDialog';
import { BulkButtons } from './BulkButtons';
import type { BulkButtonsProps } from './BulkButtons';
import { noRetryReason, offerOfAll } from './changes';
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
  /** Those on the page; undefined until they are read. */
  groups: readonly Group[] | undefined;
  /** Whether all that match are on the page. */
  isWhole: boolean;
} & Pick<BulkButtonsProps, 'ask' | 'onRetry'>;

export function FailuresToolbar({ filter, onFilter, groups, isWhole, ask, onRetry }: ToolbarProps) {
  const { viewer } = useSession();
  const reasonId = useId();
  const offer = offerOfAll(filter, viewer.isAdmin, isWhole && groups ? groups : null);
  const hasOffer = filter.state === '' && !(isWhole && groups?.length === 0);
  const reason = hasOffer && offer.possible ? noRetryReason(offer) : null;
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
        {hasOffer && (
          <BulkButtons
            offer={offer}
            all=" all…"
            ask={ask}
            onRetry={onRetry}
            describedBy={reason ? reasonId : undefined}
          />
        )}
      </div>
      {reason && groups && groups.length > 1 && (
        <p id={reasonId} className="hint">
          {reason}
        </p>
      )}
      <ActiveFilters
        filters={activeFilters(filter, groups)}
        onRemove={(name) => onFilter({ ...filter, [name]: '' })}
        onClear={() => onFilter({ ...NO_FILTER, state: filter.state })}
      />
    </div>
  );
}
