/** A job, live: its periods to scale, its arguments, its result or error, and its actions. */
import { Link, useParams } from 'react-router';
import { useLiveQuery } from 'ostinato-client/urql';
import { JobChangedDocument } from '../../generated';
import { Card } from '../../ui/Card';
import { Chip } from '../../ui/Chip';
import { Json } from '../../ui/Json';
import { LiveNotice } from '../../ui/LiveNotice';
import { Page } from '../../ui/Page';
import { Skeleton } from '../../ui/Skeleton';
import { failurePath } from '../RecordedFailure';
import { failedCall, shownState } from '../states';
import { JobError } from './JobError';
import { JobFacts } from './JobFacts';
import { JobLogs } from './JobLogs';
import { JobPageActions } from './JobPageActions';
import { JobTree } from './JobTree';
import { Timeline } from './Timeline';
import type { JobDetails } from './spans';

function Recorded({ failure }: { failure: NonNullable<JobDetails['recordedFailure']> }) {
  const { error, state } = failure;
  return (
    <p className="banner warning">
      Its function <Link to={failurePath(failure)}>recorded a failure</Link>
      {state === 'RESOLVED' && ', which is resolved'}: {error.message}
    </p>
  );
}

function FailedCall({ message }: { message: string }) {
  return (
    <p className="banner warning">
      The call failed ({message}). Each call is a job of its own: it succeeds once it has scheduled the next call, or
      recorded that all have failed.
    </p>
  );
}

function JobContent({ job }: { job: JobDetails }) {
  const call = failedCall(job);
  return (
    <>
      {job.warnings.map(({ message }) => (
        <p key={message} className="banner warning">
          {message}
        </p>
      ))}
      {call !== null && <FailedCall message={call} />}
      {job.recordedFailure && <Recorded failure={job.recordedFailure} />}
      <Card title="Timeline">
        <Timeline job={job} />
      </Card>
      {job.error && <JobError error={job.error} />}
      <JobLogs jobId={job.id} />
      <JobTree rootId={job.rootId} shownId={job.id} />
      <div className="columns">
        <Card title="Arguments">
          <Json value={job.args} label="Arguments" />
        </Card>
        {job.state === 'SUCCESS' && (
          <Card title="Result">
            <Json value={job.result} label="Result" />
          </Card>
        )}
        <Card title="Details">
          <JobFacts job={job} />
        </Card>
      </div>
    </>
  );
}

export default function JobPage() {
  const { id = '' } = useParams();
  const view = useLiveQuery(JobChangedDocument, { jobId: id });
  const [job] = view.rows;
  const state = job && shownState(job);
  return (
    <Page
      title={job?.functionName ?? 'Job'}
      note={state && <Chip tone={state.tone}>{state.name}</Chip>}
      actions={job && <JobPageActions job={job} />}
    >
      <LiveNotice view={view} />
      {view.status === 'loading' && !view.error && <Skeleton label="job" />}
      {view.status === 'ended' && <p className="banner warning">This job has been deleted.</p>}
      {job && <JobContent job={job} />}
    </Page>
  );
}
