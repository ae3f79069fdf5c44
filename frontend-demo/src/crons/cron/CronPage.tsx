/** A cron: its schedule, its next ticks and its newest runs. */
import { useParams } from 'react-router';
import { CronDetailsDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { JobRow } from '../../jobs/JobRow';
import { Card } from '../../ui/Card';
import { Chip } from '../../ui/Chip';
import { Json } from '../../ui/Json';
import { Page } from '../../ui/Page';
import { QueryNotice } from '../../ui/QueryNotice';
import { Skeleton } from '../../ui/Skeleton';
import { usePolledQuery } from '../../ui/usePolledQuery';
import { CronFacts } from './CronFacts';
import { CronHealth } from './CronHealth';
import { CronPageActions } from './CronPageActions';
import { Ledger } from './Ledger';
import { NextRuns } from './NextRuns';

function Runs({ runs }: { runs: CronDetailsFragment['runs']['nodes'] }) {
  return (
    <Card title="Newest runs">
      {runs.length === 0 && <p className="empty">It has not run yet.</p>}
      <ul className="rows" aria-label="Runs">
        {runs.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </ul>
    </Card>
  );
}

export default function CronPage() {
  const { id = '' } = useParams();
  const { data, error } = usePolledQuery(CronDetailsDocument, { id });
  const cron = data?.cron;
  return (
    <Page
      title={cron?.name ?? 'Cron'}
      note={cron && <Chip tone={cron.enabled ? 'tone-enabled' : 'tone-paused'}>{cron.enabled ? 'Enabled' : 'Paused'}</Chip>}
      actions={cron && <CronPageActions cron={cron} />}
    >
      <QueryNotice error={error} />
      {!data && !error && <Skeleton label="cron" />}
      {cron && (
        <>
          {cron.warnings.map(({ message }) => (
            <p key={message} className="banner warning">
              {message}
            </p>
          ))}
          <div className="columns">
            <Card title="Schedule">
              <CronFacts cron={cron} />
            </Card>
            <Card title="Health">
              <CronHealth health={cron.health} />
            </Card>
            <Card title="Next ticks">
              <NextRuns cron={cron} />
            </Card>
            <Card title="Arguments">
              <Json value={cron.args} label="Arguments" />
            </Card>
          </div>
          <Ledger cronId={cron.id} zone={'tz' in cron.schedule ? cron.schedule.tz : undefined} />
          <Runs runs={cron.runs.nodes} />
        </>
      )}
    </Page>
  );
}
