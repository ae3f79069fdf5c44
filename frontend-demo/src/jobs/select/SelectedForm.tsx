/** The form that moves the selected pending jobs to another time. */
import { useState } from 'react';
import { useClient } from 'urql';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { NO_ISSUES, fieldIssue, toFormIssues } from '../../form/issues';
import { toLocal } from '../../time/local';
import { rescheduleSelected } from './actions';
import type { SelectedJobs } from './actions';

type SelectedFormProps = { jobs: SelectedJobs; onDone: () => void; onClose: () => void };

export function SelectedForm({ jobs, onDone, onClose }: SelectedFormProps) {
  const client = useClient();
  const [issues, setIssues] = useState(NO_ISSUES);
  const [sending, setSending] = useState(false);
  const submit = async (values: FormData): Promise<void> => {
    const at = new Date(String(values.get('runAt')));
    if (Number.isNaN(at.getTime())) return setIssues(fieldIssue('runAt', 'Enter a date and a time.'));
    setSending(true);
    const { error } = await rescheduleSelected(jobs, at.toISOString()).run(client);
    setSending(false);
    if (error) return setIssues(toFormIssues(error, ['runAt']));
    onClose();
    onDone();
  };
  return (
    <FormFrame
      label="Reschedule the selected jobs"
      action="Reschedule"
      sending={sending}
      issues={issues}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="runAt" label="Run at" hint="In this browser's time zone; only pending jobs are changed" issues={issues}>
        {(control) => (
          <input {...control} type="datetime-local" step="1" defaultValue={toLocal(new Date().toISOString())} />
        )}
      </Field>
    </FormFrame>
  );
}
