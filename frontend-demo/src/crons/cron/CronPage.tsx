/** A cron, live: its schedule, its next ticks and its newest runs. */
import { useParams } from 'react-router';
import { useLiveJobs } from 'ostinato-client/urql';
import type { LiveView } from 'ostinato-client/urql';
import { CronChangesDocument, CronDetailsDocument, JobsChangedDocument } from '../../generated';
import { JobRow } from '../../jobs/JobRow';
import type { Job } from '../../jobs/jobsFeed';
import { Card } from '../../ui/Card';
import { Chip } from '../../ui/Chip';
import { Json } from '../../ui/Json';
import { Page } from '../../ui/Page';
import { QueryNotice } from '../../ui/QueryNotice';
import { Rows } from '../../ui/Rows';
import { Skeleton } from '../../ui/Skeleton';
import { useChanges } from '../../ui/useChanges';
import { usePolledQuery } from '../../ui/usePolledQuery';
import { CronFacts } from './CronFacts';
import { CronHealth } from './CronHealth';
import { CronPageActions } from './CronPageActions';
import { Ledger } from './Ledger';
import styles from './Ledger.module.css';
import { NextRuns } from './NextRuns';

const RUNS = 20;

function Runs({ view }: { view: LiveView<Job> }) {
  return (
    <Card title="Newest runs">
      <div className={styles.runs}>
        <Rows
          label="Runs"
          empty="It has not run yet."
          view={view}
          entities={view.rows}
          row={(job) => <JobRow key={job.id} job={job} />}
        />
      </div>
    </Card>
  );
}

/** The cron, read again when it or one of its runs has changed, and its newest runs. */
function useCron(id: string) {
  const runs = useLiveJobs(JobsChangedDocument, { filter: { causeId: id } }, { limit: RUNS });
  const changes = useChanges(CronChangesDocument, {}, ({ cronsChanged }) => cronsChanged?.cronId === id);
  return { runs, ...usePolledQuery(CronDetailsDocument, { id }, changes + runs.changes) };
}

export default function CronPage() {
  const { id = '' } = useParams();
  const { data, error, runs } = useCron(id);
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
          <Runs view={runs} />
        </>
      )}
    </Page>
  );
}
