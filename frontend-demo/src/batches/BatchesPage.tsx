/** The newest batches, live: their progress, rate and end. */
import { useLiveQuery } from 'ostinato-client/urql';
import { BatchesChangedDocument } from '../generated';
import type { BatchRowFragment } from '../generated';
import { formatDuration } from '../time/format';
import { Expected, Since } from '../time/Instant';
import { Chip } from '../ui/Chip';
import { Page } from '../ui/Page';
import { LiveNotice } from '../ui/LiveNotice';
import { Skeleton } from '../ui/Skeleton';
import { Table } from '../ui/Table';
import type { Column } from '../ui/Table';
import { BatchActions, Progress, STATES } from './BatchCells';

const NEWEST = 100;

function newestFirst(a: BatchRowFragment, b: BatchRowFragment): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id);
}

const COLUMNS: readonly Column<BatchRowFragment>[] = [
  { name: 'Source', cell: ({ source }) => <strong>{source}</strong> },
  { name: 'State', cell: ({ state }) => <Chip tone={STATES[state].tone}>{STATES[state].name}</Chip> },
  { name: 'Items', cell: (batch) => <Progress batch={batch} /> },
  { name: 'Rate', cell: ({ batchSize, delayMs }) => `${batchSize} a page, ${formatDuration(delayMs)} apart` },
  { name: 'Items a second', numeric: true, cell: ({ itemsPerSecond: rate }) => (rate === null ? '' : rate.toFixed(1)) },
  { name: 'Started', cell: ({ createdAt }) => <Since at={createdAt} /> },
  {
    name: 'End',
    cell: ({ completedAt, estimatedEnd }) => {
      if (completedAt) return <Since at={completedAt} />;
      return estimatedEnd ? <Expected at={estimatedEnd} /> : 'unknown';
    },
  },
  { name: '', cell: (batch) => <BatchActions batch={batch} /> },
];

export default function BatchesPage() {
  const view = useLiveQuery(BatchesChangedDocument, {}, { limit: NEWEST, order: newestFirst });
  return (
    <Page title="Batches">
      <LiveNotice view={view} />
      <div className="card">
        {view.status === 'loading' ? (
          !view.error && <Skeleton label="batches" />
        ) : (
          <Table
            label="Batches"
            columns={COLUMNS}
            rows={view.rows}
            keyOf={({ id }) => id}
            empty="No batches. Start one on the playground, or with the mutation startBatch."
          />
        )}
      </div>
    </Page>
  );
}
