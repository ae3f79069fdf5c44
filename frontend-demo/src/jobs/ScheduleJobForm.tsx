/** The form to schedule a job: function, arguments, delay and tags. */
import { ScheduleJobDocument } from '../generated';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { FunctionFields } from '../form/FunctionFields';
import type { Runnable } from '../form/functions';
import { isIssue, readAll, readDuration, readFunction, readList } from '../form/read';
import { useSubmit } from '../form/useSubmit';

type ScheduleJobFormProps = { functions: Runnable[]; onClose: () => void };

const FIELDS = ['functionName', 'args', 'runAfterMs', 'tags'];

export function ScheduleJobForm({ functions, onClose }: ScheduleJobFormProps) {
  const { issues, sending, refuse, send, forget } = useSubmit(ScheduleJobDocument, FIELDS);
  const submit = async (values: FormData): Promise<void> => {
    const read = readAll({
      args: readFunction(values),
      runAfterMs: readDuration(values, 'runAfterMs'),
    });
    if (isIssue(read)) return refuse(read);
    const { args, runAfterMs } = read;
    if (await send({ input: { ...args, runAfterMs, tags: readList(values, 'tags') } }, values)) onClose();
  };
  return (
    <FormFrame
      label="Schedule a job"
      action="Schedule"
      sending={sending}
      issues={issues}
      onEdit={forget}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <FunctionFields functions={functions} issues={issues} />
      <Field name="runAfterMs" label="Delay" hint="such as: 5 minutes, 90 s; empty: none" issues={issues}>
        {(control) => <input {...control} autoComplete="off" />}
      </Field>
      <Field name="tags" label="Tags" hint="to find the job by, such as: nightly, customer 7" issues={issues}>
        {(control) => <input {...control} autoComplete="off" />}
      </Field>
    </FormFrame>
  );
}
