/** The form that retries a job, with its arguments or others. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { isIssue, readAll, readArgs } from '../form/read';
import { useSubmit } from '../form/useSubmit';
import { RetryWithArgsDocument } from '../generated';

type RetryFormProps = { job: { id: string; args: unknown }; onClose: () => void };

const MAX_ROWS = 14;

export function RetryForm({ job, onClose }: RetryFormProps) {
  const { issues, sending, refuse, send, forget } = useSubmit(RetryWithArgsDocument, ['args']);
  const initial = JSON.stringify(job.args, null, 2);
  const submit = async (values: FormData): Promise<void> => {
    const edited = readAll({ args: readArgs(values) });
    if (isIssue(edited)) return refuse(edited);
    const changed = JSON.stringify(edited.args) !== JSON.stringify(job.args);
    if (await send({ input: { jobId: job.id }, ...(changed && edited) })) onClose();
  };
  return (
    <FormFrame
      label="Retry the job"
      action="Retry"
      sending={sending}
      issues={issues}
      onEdit={forget}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="args" label="Arguments" hint="Change them to retry with others" issues={issues}>
        {(control) => (
          <textarea
            {...control}
            className="code"
            rows={Math.min(initial.split('\n').length + 1, MAX_ROWS)}
            spellCheck={false}
            defaultValue={initial}
          />
        )}
      </Field>
    </FormFrame>
  );
}
