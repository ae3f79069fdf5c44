/** For admins: whether the workers keep up, and what prevents that. */
import { Link } from 'react-router';
import { useSession } from '../app/session';
import { CapacityDocument } from '../generated';
import type { CapacityQuery, QueueRowFragment } from '../generated';
import { Card } from '../ui/Card';
import { Facts } from '../ui/Facts';
import { QueryNotice } from '../ui/QueryNotice';
import { usePolledQuery } from '../ui/usePolledQuery';

function problemsOf({ workers, queues }: CapacityQuery): string[] {
  if (workers?.length === 0) return ['No worker is running: no job starts.'];
  const waiting = (queues ?? []).filter(({ pendingDue }) => pendingDue > 0);
  return waiting.flatMap(({ name, paused, workers: serving }) => {
    if (paused) return [`The queue ${name} is paused while jobs wait in it.`];
    return serving === 0 ? [`No worker serves the queue ${name}, in which jobs wait.`] : [];
  });
}

/** Queues whose jobs would not start. */
function Unserved({ queues }: { queues: readonly QueueRowFragment[] }) {
  const unserved = queues.filter(({ workers }) => workers === 0);
  if (unserved.length === 0) return <>none</>;
  return (
    <span className="links">
      {unserved.map(({ name }) => (
        <Link key={name} to={`/jobs?queue=${encodeURIComponent(name)}`} className="issue">
          {name}
        </Link>
      ))}
    </span>
  );
}

function sum(numbers: readonly number[]): string {
  return numbers.reduce((total, each) => total + each, 0).toLocaleString();
}

function CapacityCard() {
  const { data, error } = usePolledQuery(CapacityDocument, {});
  const { workers, queues } = data ?? {};
  return (
    <Card title="Capacity">
      <QueryNotice error={error} />
      {data && problemsOf(data).map((problem) => (
        <p key={problem} role="alert" className="banner issue">
          {problem}
        </p>
      ))}
      <Facts
        facts={[
          ['Workers', <Link to="/workers">{workers?.length ?? '…'}</Link>],
          ['Slots in use', workers ? `${sum(workers.map(({ running }) => running))} of ${sum(workers.map(({ slots }) => slots))}` : '…'],
          ['Queues', <Link to="/queues">{queues?.length ?? '…'}</Link>],
          ['No worker serves', queues ? <Unserved queues={queues} /> : '…'],
          ['Due jobs', queues ? sum(queues.map(({ pendingDue }) => pendingDue)) : '…'],
        ]}
      />
    </Card>
  );
}

export function Capacity() {
  const { viewer } = useSession();
  return viewer.isAdmin ? <CapacityCard /> : null;
}
