/** The jobs that are running now, live, with their progress. */
import { useLiveJobs } from 'ostinato-client/urql';
import { JobsChangedDocument } from '../generated';
import type { JobState } from '../generated';
import { JobRow } from '../jobs/JobRow';
import { Card } from '../ui/Card';
import { Rows } from '../ui/Rows';

const SHOWN = 8;
const RUNNING = { filter: { states: ['IN_PROGRESS' as JobState] } };

export function RunningJobs() {
  const view = useLiveJobs(JobsChangedDocument, RUNNING, { limit: SHOWN });
  return (
    <Card title="Running now">
      <Rows
        label="Running jobs"
        empty="Nothing is running."
        view={view}
        entities={view.rows}
        row={(job) => <JobRow key={job.id} job={job} />}
      />
    </Card>
  );
}
