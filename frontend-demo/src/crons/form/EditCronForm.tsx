/** The form that changes a cron, with the runs that the change adds, removes and moves. */
import { useState } from 'react';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { FunctionFields, INVALID_JSON_MESSAGE, readFunction } from '../../form/FunctionFields';
import type { Runnable } from '../../form/functions';
import { fieldIssue } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import { useSubmit } from '../../form/useSubmit';
import { UpdateCronDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { patchOf, scheduleOf } from './patch';
import type { Patch } from './patch';
import { PolicyFields } from './PolicyFields';
import { FIELDS } from './RegisterCronForm';
import { ScheduleDiff } from './ScheduleDiff';
import { ScheduleFields } from './ScheduleFields';
import { INVALID_DURATION, readPolicies, readSchedule, text } from './values';

type EditCronFormProps = { cron: CronDetailsFragment; functions: Runnable[]; onClose: () => void };

/** Read what the form changes, or the issue that prevents that. */
function readPatch(cron: CronDetailsFragment, values: FormData): Patch | FormIssues {
  const chosen = readFunction(values);
  const schedule = readSchedule(values);
  const policies = readPolicies(values);
  if (!chosen) return fieldIssue('args', INVALID_JSON_MESSAGE);
  if (schedule === 'invalid') return fieldIssue('intervalMs', INVALID_DURATION);
  if (policies === 'invalid') return fieldIssue('jitterMs', INVALID_DURATION);
  return patchOf(cron, { name: text(values, 'name'), ...chosen, schedule, policies });
}

function isIssue(read: Patch | FormIssues): read is FormIssues {
  return 'fields' in read;
}

export function EditCronForm({ cron: current, functions, onClose }: EditCronFormProps) {
  const [cron] = useState(current); // The form compares with what it has shown first.
  const { issues, sending, refuse, send } = useSubmit(UpdateCronDocument, FIELDS);
  const [patch, setPatch] = useState<Patch | null>({});
  const [entered, setEntered] = useState<ReturnType<typeof readSchedule>>(scheduleOf(cron));
  const change = (values: FormData): void => {
    const read = readPatch(cron, values);
    setPatch(isIssue(read) ? null : read);
    setEntered(readSchedule(values));
  };
  const submit = async (values: FormData): Promise<void> => {
    const read = readPatch(cron, values);
    if (isIssue(read)) return refuse(read);
    if (await send({ input: { cronId: cron.id, ...read } })) onClose();
  };
  return (
    <FormFrame
      label="Change the cron"
      action="Save"
      sending={sending}
      issues={issues}
      onChange={change}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="name" label="Name" issues={issues}>
        {(control) => <input {...control} autoComplete="off" defaultValue={cron.name} />}
      </Field>
      <ScheduleFields issues={issues} initial={cron.schedule} entered={entered} />
      <FunctionFields functions={functions} issues={issues} initial={cron} />
      <PolicyFields issues={issues} initial={cron} />
      <ScheduleDiff cronId={cron.id} patch={patch} />
    </FormFrame>
  );
}
