/** The form that moves a pending job to another time. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { fieldIssue } from '../form/issues';
import { useSubmit } from '../form/useSubmit';
import { RescheduleJobDocument } from '../generated';
import { toLocal } from '../time/local';

type RescheduleFormProps = { job: { id: string; version: number; scheduledTime: string }; onClose: () => void };

export function RescheduleForm({ job, onClose }: RescheduleFormProps) {
  const { issues, sending, refuse, send, forget } = useSubmit(RescheduleJobDocument, ['runAt']);
  const submit = async (values: FormData): Promise<void> => {
    const at = new Date(String(values.get('runAt')));
    if (Number.isNaN(at.getTime())) return refuse(fieldIssue('runAt', 'Enter a date and a time.'));
    const input = { jobId: job.id, runAt: at.toISOString(), expectedVersion: job.version };
    if (await send({ input })) onClose();
  };
  return (
    <FormFrame
      label="Reschedule the job"
      action="Reschedule"
      sending={sending}
      issues={issues}
      onEdit={forget}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="runAt" label="Run at" hint="In this browser's time zone" issues={issues}>
        {(control) => (
          <input {...control} type="datetime-local" step="1" defaultValue={toLocal(job.scheduledTime)} />
        )}
      </Field>
    </FormFrame>
  );
}
