/** The form that moves a pending job to another time. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { fieldIssue } from '../form/issues';
import { useSubmit } from '../form/useSubmit';
import { RescheduleJobDocument } from '../generated';

type RescheduleFormProps = { job: { id: string; version: number; scheduledTime: string }; onClose: () => void };

/** The value of a `datetime-local` field: local time without a zone. */
export function toLocalInput(instant: string): string {
  const at = new Date(instant);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export function RescheduleForm({ job, onClose }: RescheduleFormProps) {
  const { issues, sending, refuse, send } = useSubmit(RescheduleJobDocument, ['runAt']);
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
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="runAt" label="Run at" hint="In this browser's time zone" issues={issues}>
        {(control) => (
          <input {...control} type="datetime-local" step="1" defaultValue={toLocalInput(job.scheduledTime)} />
        )}
      </Field>
    </FormFrame>
  );
}
