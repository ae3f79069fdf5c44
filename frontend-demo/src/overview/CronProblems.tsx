/** The crons that do not run as planned, live: late ones, those that Ostinato has paused, and those with warnings. */
import { Link } from 'react-router';
import { problemOf, textWithoutProblems } from '../crons/attention';
import { useCrons } from '../crons/cronsFeed';
import type { Cron } from '../crons/cronsFeed';
import { useNow } from '../time/now';
import { Card } from '../ui/Card';
import { Rows } from '../ui/Rows';

const SHOWN = 5;

function Problem({ cron, problem }: { cron: Cron; problem: string }) {
  return (
    <li className="row" data-cron-problem={cron.name}>
      <p className="row-title">
        <Link to={`/crons/${cron.id}`}>
          <strong>{cron.name}</strong>
        </Link>
        <span className="row-warning">{problem}</span>
      </p>
    </li>
  );
}

export function CronProblems() {
  const view = useCrons();
  const now = useNow();
  const found = view.rows.flatMap((cron) => {
    const problem = problemOf(cron, now);
    return problem === null ? [] : [{ cron, problem }];
  });
  const title = found.length > SHOWN ? `${found.length} late or stopped crons` : 'Late or stopped crons';
  return (
    <Card title={title} actions={<Link to="/crons">All crons</Link>}>
      <Rows
        label="Late or stopped crons"
        empty={textWithoutProblems(view)}
        view={view}
        entities={found.slice(0, SHOWN)}
        row={({ cron, problem }) => <Problem key={cron.id} cron={cron} problem={problem} />}
      />
    </Card>
  );
}
