/** The failed jobs, live: those with similar errors in one group, with a filter that is in the address. */
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { useSession } from '../app/session';
import { BulkProgress } from '../bulk/BulkProgress';
import type { FailureFilter } from '../generated';
import { countText } from '../jobs/counts';
import { useConfirm } from '../ui/ConfirmDialog';
import { Page } from '../ui/Page';
import { QueryNotice } from '../ui/QueryNotice';
import { Skeleton } from '../ui/Skeleton';
import { FailuresToolbar } from './FailuresToolbar';
import { activeFilters, readFilter, writeFilter } from './filter';
import type { FailuresFilter } from './filter';
import { GroupRow } from './GroupRow';
import { Retried } from './Retried';
import { useFailureGroups } from './useFailureGroups';
import { useStableOrder } from './useStableOrder';

function useFilter(): [FailuresFilter, (filter: FailuresFilter) => void] {
  const [address, setAddress] = useSearchParams();
  const text = address.toString();
  const filter = useMemo(() => readFilter(address), [text]);
  return [filter, (next) => setAddress(writeFilter(next))];
}

function emptyText(filter: FailuresFilter): string {
  if (activeFilters(filter).length > 0) return 'No failures match the filter.';
  return filter.state === '' ? 'No open failures.' : 'No resolved failures are stored.';
}

export default function FailuresPage() {
  const [filter, setFilter] = useFilter();
  const { viewer } = useSession();
  const [after, setAfter] = useState<string | null>(null);
  const { data, error, refresh } = useFailureGroups(filter, after);
  const { ask, dialog } = useConfirm(refresh);
  const [retries, setRetries] = useState<ReadonlyMap<string, FailureFilter>>(new Map());
  const onRetry = (id: string, retried: FailureFilter): void => {
    setRetries((known) => new Map([...known, [id, retried]])); // called after an await
  };
  const list = `${writeFilter(filter).toString()} ${after}`;
  const { groups, isOutdated, renew } = useStableOrder(list, data?.failureGroups?.nodes);
  const page = data?.failureGroups?.pageInfo;
  const total = data?.failureGroups?.totalCount;
  const isWhole = groups !== undefined && after === null && page?.hasNextPage === false;
  const change = (next: FailuresFilter): void => {
    setAfter(null);
    setFilter(next);
  };
  return (
    <Page
      title="Failures"
      note={total && <span className="count">{countText(total)} {total.count === 1 && total.isExact ? 'group' : 'groups'}</span>}
      actions={isOutdated && <button type="button" onClick={renew}>Newer failures first</button>}
    >
      <div className="card long">
        <FailuresToolbar
          filter={filter}
          onFilter={change}
          groups={groups}
          isWhole={isWhole}
          ask={ask}
          onRetry={onRetry}
        />
        <QueryNotice error={error} />
        {!groups && !error && <Skeleton label="failures" />}
        {groups?.length === 0 && <p className="empty">{emptyText(filter)}</p>}
        <ul aria-label="Failures">
          {groups?.map((group) => (
            <GroupRow key={group.id} group={group} filter={filter} isAdmin={viewer.isAdmin} ask={ask} onRetry={onRetry} onDone={refresh} />
          ))}
        </ul>
        {(after !== null || page?.hasNextPage) && (
          <div className="foot">
            {after !== null && (
              <button type="button" className="small" onClick={() => setAfter(null)}>
                Newest groups
              </button>
            )}
            {page?.hasNextPage && (
              <button type="button" className="small" onClick={() => setAfter(page.endCursor)}>
                Older groups
              </button>
            )}
          </div>
        )}
        <BulkProgress
          detailOf={(id) => {
            const retried = retries.get(id);
            return retried && <Retried filter={retried} />;
          }}
        />
      </div>
      {dialog}
    </Page>
  );
}
