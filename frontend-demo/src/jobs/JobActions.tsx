/** The actions available for a job in its current state. */
import { CancelJobDocument, RetryJobDocument } from '../generated';
import { Actions, action } from '../ui/Actions';
import type { Action } from '../ui/Actions';
import type { Job } from './jobsFeed';

type ActedOn = Pick<Job, 'id' | 'functionName' | 'state' | 'cancelRequestedAt'>;

export function cancelActions({ id, state, cancelRequestedAt }: ActedOn): Action[] {
  if (state !== 'PENDING' && state !== 'IN_PROGRESS') return [];
  return [action('Cancel', CancelJobDocument, { input: { jobId: id } }, { disabled: cancelRequestedAt !== null })];
}

function actionsOf(job: ActedOn): Action[] {
  if (job.state === 'FAILED') return [action('Retry', RetryJobDocument, { input: { jobId: job.id } })];
  return cancelActions(job);
}

export function JobActions({ job }: { job: ActedOn }) {
  return <Actions actions={actionsOf(job)} target={`job ${job.functionName}`} />;
}
