/** What can be done with a job on its page. */
import { FormDialog } from '../../ui/FormDialog';
import { CancelJob } from '../JobActions';
import { RescheduleForm } from '../RescheduleForm';
import { RetryForm } from '../RetryForm';
import { CopyMenu } from './CopyMenu';
import type { JobDetails } from './spans';

export function JobPageActions({ job }: { job: JobDetails }) {
  const canRetry = job.state === 'FAILED' || job.state === 'CANCELED';
  return (
    <>
      <CopyMenu job={job} />
      {job.state === 'PENDING' && (
        <FormDialog action="Reschedule" title="Reschedule the job" className="small">
          {(close) => <RescheduleForm job={job} onClose={close} />}
        </FormDialog>
      )}
      {(job.state === 'PENDING' || job.state === 'IN_PROGRESS') && <CancelJob job={job} />}
      {canRetry && (
        <FormDialog action="Retry" title="Retry the job" className="small">
          {(close) => <RetryForm job={job} onClose={close} />}
        </FormDialog>
      )}
    </>
  );
}
