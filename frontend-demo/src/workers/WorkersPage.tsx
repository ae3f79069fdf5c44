/** The workers: their load, what they run, and what blocks their event loops. */
import { Link } from 'react-router';
import { WorkersDocument } from '../generated';
import type { WorkerRowFragment } from '../generated';
import { Since } from '../time/Instant';
import { Chip } from '../ui/Chip';
import { Page } from '../ui/Page';
import { QueryNotice } from '../ui/QueryNotice';
import { Skeleton } from '../ui/Skeleton';
import { Table } from '../ui/Table';
import type { Column } from '../ui/Table';
import { usePolledQuery } from '../ui/usePolledQuery';

/** A function that blocks the event loop for longer delays every other job of the worker. */
const MAX_LOOP_LAG_MS = 50;
const MAX_SHOWN_JOBS = 5;

function Load({ worker: { running, slots } }: { worker: WorkerRowFragment }) {
  return (
    <span className="load">
      <progress value={running} max={slots} aria-label="Slots in use" />
      {running} of {slots}
    </span>
  );
}

function LoopLag({ ms }: { ms: number }) {
  if (ms <= MAX_LOOP_LAG_MS) return <>{ms} ms</>;
  return <Chip tone="tone-failed">{ms} ms: a function blocks it</Chip>;
}

function RunningJobs({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return <span className="hint">none</span>;
  return (
    <span className="links">
      {ids.slice(0, MAX_SHOWN_JOBS).map((id, index) => (
        <Link key={id} to={`/jobs/${id}`}>
          job {index + 1}
        </Link>
      ))}
      {ids.length > MAX_SHOWN_JOBS && <span className="hint">and {ids.length - MAX_SHOWN_JOBS} more</span>}
    </span>
  );
}

const COLUMNS: readonly Column<WorkerRowFragment>[] = [
  { name: 'Worker', cell: ({ host, pid }) => `${host}, process ${pid}` },
  { name: 'Load', cell: (worker) => <Load worker={worker} /> },
  { name: 'Running longest', cell: ({ runningJobIds }) => <RunningJobs ids={runningJobIds} /> },
  { name: 'Queues', cell: ({ queues }) => queues.join(', ') },
  { name: 'Event loop delay', cell: ({ loopLagMs }) => <LoopLag ms={loopLagMs} /> },
  { name: 'Version', cell: ({ version }) => version },
  { name: 'Started', cell: ({ startedAt }) => <Since at={startedAt} /> },
  { name: 'Heartbeat', cell: ({ heardAt }) => <Since at={heardAt} /> },
];

export default function WorkersPage() {
  const { data, error } = usePolledQuery(WorkersDocument, {});
  const workers = data?.workers;
  return (
    <Page title="Workers" note={<span className="count">{workers?.length}</span>}>
      <QueryNotice error={error} />
      <div className="card">
        {workers ? (
          <Table
            label="Workers"
            columns={COLUMNS}
            rows={workers}
            keyOf={({ id }) => id}
            empty="No worker is running: no job starts. Start one with `ostinato worker`."
          />
        ) : (
          !error && <Skeleton label="workers" />
        )}
      </div>
    </Page>
  );
}
