/** The queues: their depth, their workers, and whether they are paused. */
import { Link } from 'react-router';
import { PauseQueueDocument, QueuesDocument, ResumeQueueDocument } from '../generated';
import type { QueueRowFragment } from '../generated';
import { Actions, action } from '../ui/Actions';
import { Chip } from '../ui/Chip';
import { Page } from '../ui/Page';
import { QueryNotice } from '../ui/QueryNotice';
import { Skeleton } from '../ui/Skeleton';
import { Table } from '../ui/Table';
import type { Column } from '../ui/Table';
import { usePolledQuery } from '../ui/usePolledQuery';

/** The number of due jobs is counted up to this. */
const MAX_COUNTED = 1_000;

function QueueState({ queue }: { queue: QueueRowFragment }) {
  if (queue.paused) return <Chip tone="tone-paused">Paused</Chip>;
  if (queue.workers === 0) return <Chip tone="tone-failed">No worker serves it</Chip>;
  return <Chip tone="tone-enabled">Running</Chip>;
}

function QueueActions({ queue, onDone }: { queue: QueueRowFragment; onDone: () => void }) {
  const variables = { input: { queue: queue.name } };
  const change = queue.paused
    ? action('Resume', ResumeQueueDocument, variables, { onDone })
    : action('Pause', PauseQueueDocument, variables, { onDone });
  return <Actions actions={[change]} target={`queue ${queue.name}`} />;
}

function columnsOf(refresh: () => void): Column<QueueRowFragment>[] {
  return [
    {
      name: 'Queue',
      cell: ({ name }) => <Link to={`/jobs?queue=${encodeURIComponent(name)}`}>{name}</Link>,
    },
    { name: 'State', cell: (queue) => <QueueState queue={queue} /> },
    {
      name: 'Due jobs',
      numeric: true,
      cell: ({ pendingDue }) => `${pendingDue.toLocaleString()}${pendingDue >= MAX_COUNTED ? ' or more' : ''}`,
    },
    { name: 'Workers', numeric: true, cell: ({ workers }) => workers },
    { name: 'Weight', numeric: true, cell: ({ weight }) => weight },
    { name: '', cell: (queue) => <QueueActions queue={queue} onDone={refresh} /> },
  ];
}

export default function QueuesPage() {
  const { data, error, refresh } = usePolledQuery(QueuesDocument, {});
  const queues = data?.queues;
  return (
    <Page title="Queues" note={<span className="count">{queues?.length}</span>}>
      <QueryNotice error={error} />
      <div className="card">
        {queues ? (
          <Table
            label="Queues"
            columns={columnsOf(refresh)}
            rows={queues}
            keyOf={({ name }) => name}
            empty="No queues: no worker is running, and no job is pending."
          />
        ) : (
          !error && <Skeleton label="queues" />
        )}
      </div>
    </Page>
  );
}
