/** The actions available for a job in its current state. */
import { useMutation } from 'urql';
import { CancelJobDocument, RetryJobDocument } from '../generated';
import { ActionButton } from '../form/ActionButton';
import type { Job } from './jobsFeed';

type ActedOn = Pick<Job, 'id' | 'functionName' | 'state' | 'cancelRequestedAt'>;

export function CancelJob({ job }: { job: ActedOn }) {
  const [{ fetching, error }, cancel] = useMutation(CancelJobDocument);
  return (
    <ActionButton
      label="Cancel"
      target={`job ${job.functionName}`}
      error={error}
      disabled={fetching || job.cancelRequestedAt !== null}
      onClick={() => void cancel({ input: { jobId: job.id } })}
    />
  );
}

function RetryJob({ job }: { job: ActedOn }) {
  const [{ fetching, error }, retry] = useMutation(RetryJobDocument);
  return (
    <ActionButton
      label="Retry"
      target={`job ${job.functionName}`}
      error={error}
      disabled={fetching}
      onClick={() => void retry({ input: { jobId: job.id } })}
    />
  );
}

export function JobActions({ job }: { job: ActedOn }) {
  return (
    <span className="row-actions">
      {(job.state === 'PENDING' || job.state === 'IN_PROGRESS') && <CancelJob job={job} />}
      {job.state === 'FAILED' && <RetryJob job={job} />}
    </span>
  );
}
