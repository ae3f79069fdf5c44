/** The form to schedule a job: function, arguments and delay. */
import { ScheduleJobDocument } from '../generated';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { FunctionFields, INVALID_JSON_MESSAGE, readFunction } from '../form/FunctionFields';
import type { Runnable } from '../form/functions';
import { fieldIssue } from '../form/issues';
import { INVALID_MS_MESSAGE, readMs } from '../form/milliseconds';
import { useSubmit } from '../form/useSubmit';

type ScheduleJobFormProps = { functions: Runnable[]; onClose: () => void };

const FIELDS = ['functionName', 'args', 'runAfterMs'];

export function ScheduleJobForm({ functions, onClose }: ScheduleJobFormProps) {
  const { issues, sending, refuse, send } = useSubmit(ScheduleJobDocument, FIELDS);
  const submit = async (values: FormData): Promise<void> => {
    const chosen = readFunction(values);
    const runAfterMs = readMs(values.get('runAfterMs'));
    if (!chosen) return refuse(fieldIssue('args', INVALID_JSON_MESSAGE));
    if (runAfterMs === 'invalid') return refuse(fieldIssue('runAfterMs', INVALID_MS_MESSAGE));
    if (await send({ input: { ...chosen, runAfterMs } })) onClose();
  };
  return (
    <FormFrame
      label="Schedule a job"
      action="Schedule"
      sending={sending}
      issues={issues}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <FunctionFields functions={functions} issues={issues} />
      <Field name="runAfterMs" label="Delay (ms)" hint="0 runs it immediately" issues={issues}>
        {(control) => <input {...control} inputMode="numeric" defaultValue="0" />}
      </Field>
    </FormFrame>
  );
}
