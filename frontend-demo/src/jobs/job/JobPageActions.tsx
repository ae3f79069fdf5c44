/** What can be done with a job on its page. */
import { Actions } from '../../ui/Actions';
import { FormDialog } from '../../ui/FormDialog';
import { cancelActions } from '../JobActions';
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
      <Actions actions={cancelActions(job)} target={`job ${job.functionName}`} />
      {canRetry && (
        <FormDialog action="Retry" title="Retry the job" className="small">
          {(close) => <RetryForm job={job} onClose={close} />}
        </FormDialog>
      )}
    </>
  );
}
