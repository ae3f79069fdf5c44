/** The form to schedule a job: function, arguments and delay. */
import { ScheduleJobDocument } from '../generated';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { FunctionFields, NOT_JSON, readFunction } from '../form/FunctionFields';
import type { Runnable } from '../form/functions';
import { problemAt } from '../form/issues';
import { NOT_MS, readMs } from '../form/milliseconds';
import { useSubmit } from '../form/useSubmit';

type ScheduleJobFormProps = { functions: Runnable[]; onClose: () => void };

const FIELDS = ['functionName', 'args', 'runAfterMs'];

export function ScheduleJobForm({ functions, onClose }: ScheduleJobFormProps) {
  const { problems, sending, refuse, send } = useSubmit(ScheduleJobDocument, FIELDS);
  const submit = async (values: FormData): Promise<void> => {
    const chosen = readFunction(values);
    const runAfterMs = readMs(values.get('runAfterMs'));
    if (!chosen) return refuse(problemAt('args', NOT_JSON));
    if (runAfterMs === 'invalid') return refuse(problemAt('runAfterMs', NOT_MS));
    await send({ input: { ...chosen, runAfterMs } });
  };
  return (
    <FormFrame
      label="Schedule a job"
      action="Schedule"
      sending={sending}
      problems={problems}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <FunctionFields functions={functions} problems={problems} />
      <Field name="runAfterMs" label="Delay (ms)" hint="0 runs it immediately" problems={problems}>
        {(control) => <input {...control} inputMode="numeric" defaultValue="0" />}
      </Field>
    </FormFrame>
  );
}
