/** The form that changes the interval and the arguments of a recurring task, running or stopped. */
import { useState } from 'react';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { isIssue } from '../form/read';
import { useSubmit } from '../form/useSubmit';
import { UpdateTaskDocument } from '../generated';
import type { TaskRowFragment } from '../generated';
import { formatDuration } from '../time/format';
import { patchOf, readTask } from './patch';

const MAX_ROWS = 14;

type TaskFormProps = { task: TaskRowFragment; onClose: () => void };

export function TaskForm({ task: current, onClose }: TaskFormProps) {
  const [task] = useState(current); // Others may change it meanwhile: only what differs from what was shown is sent.
  const { issues, sending, refuse, send, forget } = useSubmit(UpdateTaskDocument, ['intervalMs', 'args']);
  const args = JSON.stringify(task.args, null, 2);
  const submit = async (values: FormData): Promise<void> => {
    const read = readTask(values);
    if (isIssue(read)) return refuse(read);
    const patch = patchOf(task, read);
    if (Object.keys(patch).length === 0) return onClose();
    if (await send({ input: { recurringTaskId: task.id, ...patch } }, values)) onClose();
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
      <Field name="intervalMs" label="Interval" hint="counts from the last tick" issues={issues}>
        {(control) => <input {...control} autoComplete="off" defaultValue={formatDuration(task.intervalMs)} />}
      </Field>
      <Field name="args" label="Arguments" hint="for later runs; existing ones keep theirs" issues={issues}>
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
