/** The form that changes the interval and the arguments of a recurring task, running or stopped. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { NOT_JSON } from '../form/FunctionFields';
import { NOT_A_DURATION, isIssue, readAll, readDuration, text } from '../form/read';
import { useSubmit } from '../form/useSubmit';
import { UpdateTaskDocument } from '../generated';
import type { TaskRowFragment } from '../generated';
import { formatDuration } from '../time/format';

const MAX_ROWS = 14;

function readArgs(values: FormData): unknown {
  try {
    return JSON.parse(text(values, 'args'));
  } catch {
    return NOT_JSON;
  }
}

type TaskFormProps = { task: TaskRowFragment; onClose: () => void };

export function TaskForm({ task, onClose }: TaskFormProps) {
  const { issues, sending, refuse, send, forget } = useSubmit(UpdateTaskDocument, ['intervalMs', 'args']);
  const args = JSON.stringify(task.args, null, 2);
  const submit = async (values: FormData): Promise<void> => {
    const read = readAll({ intervalMs: readDuration(values, 'intervalMs') ?? NOT_A_DURATION, args: readArgs(values) });
    if (isIssue(read)) return refuse(read);
    if (await send({ input: { recurringTaskId: task.id, ...read } }, values)) onClose();
  };
  return (
    <FormFrame
      label="Change the task"
      action="Save"
      sending={sending}
      issues={issues}
      onEdit={forget}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="intervalMs" label="Interval" hint="Counts from the last run" issues={issues}>
        {(control) => <input {...control} autoComplete="off" defaultValue={formatDuration(task.intervalMs)} />}
      </Field>
      <Field name="args" label="Arguments" hint="For the next runs" issues={issues}>
        {(control) => (
          <textarea
            {...control}
            className="code"
            rows={Math.min(args.split('\n').length + 1, MAX_ROWS)}
            spellCheck={false}
            defaultValue={args}
          />
        )}
      </Field>
    </FormFrame>
  );
}
