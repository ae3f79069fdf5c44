/** The newest requests, live: what waits for an answer, for how long, and what was answered. */
import { useLiveQuery } from 'ostinato-client/urql';
import { RequestsChangedDocument } from '../generated';
import type { RequestRowFragment } from '../generated';
import { Expected, Since } from '../time/Instant';
import { Chip } from '../ui/Chip';
import { Page } from '../ui/Page';
import { LiveNotice } from '../ui/LiveNotice';
import { Skeleton } from '../ui/Skeleton';
import { Table } from '../ui/Table';
import type { Column } from '../ui/Table';
import { Outcome, RequestActions, STATES, brief } from './RequestCells';

const NEWEST = 100;

function newestFirst(a: RequestRowFragment, b: RequestRowFragment): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id);
}

const COLUMNS: readonly Column<RequestRowFragment>[] = [
  { name: 'State', cell: ({ state }) => <Chip tone={STATES[state].tone}>{STATES[state].name}</Chip> },
  { name: 'Data', cell: ({ data }) => <code className="row-note">{brief(data)}</code> },
  { name: 'Answer', cell: (request) => <Outcome request={request} /> },
  { name: 'Created', cell: ({ createdAt }) => <Since at={createdAt} /> },
  {
    name: 'End',
    cell: ({ state, timeoutAt, completedAt }) =>
      state === 'PENDING' ? <Expected at={timeoutAt} /> : completedAt && <Since at={completedAt} />,
  },
  { name: '', cell: (request) => <RequestActions request={request} /> },
];

export default function RequestsPage() {
  const view = useLiveQuery(RequestsChangedDocument, {}, { limit: NEWEST, order: newestFirst });
  return (
    <Page title="Requests">
      <LiveNotice view={view} />
      <div className="card">
        {view.status === 'loading' ? (
          !view.error && <Skeleton label="requests" />
        ) : (
          <Table
            label="Requests"
            columns={COLUMNS}
            rows={view.rows}
            keyOf={({ id }) => id}
            empty="No requests. Create one on the playground, or with the mutation createWithTimeout."
          />
        )}
      </div>
    </Page>
  );
}
