/** The form that changes a cron, with its next ticks, and those that the change adds, removes and moves. */
import { useMemo, useState } from 'react';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { FunctionFields } from '../../form/FunctionFields';
import type { Runnable } from '../../form/functions';
import { withCurrent } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import { isIssue } from '../../form/read';
import { useSubmit } from '../../form/useSubmit';
import { UpdateCronDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { ExclusionFields } from './ExclusionFields';
import { exclusionsOf } from './exclusions';
import { patchOf, policiesOf, scheduleOf } from './patch';
import { PolicyFields } from './PolicyFields';
import { ScheduleFields } from './ScheduleFields';
import { SchedulePreview } from './SchedulePreview';
import { FIELDS, fieldsWith, readCron, readNamedCron } from './values';
import type { EnteredCron } from './values';

type EditCronFormProps = { cron: CronDetailsFragment; functions: Runnable[]; onClose: () => void };

function enteredOf(cron: CronDetailsFragment): EnteredCron {
  const { name, functionName, args } = cron;
  return { name, functionName, args, schedule: scheduleOf(cron), policies: policiesOf(cron), exclusions: exclusionsOf(cron) };
}

export function EditCronForm({ cron: current, functions, onClose }: EditCronFormProps) {
  const [cron] = useState(current); // The form compares with what it has shown first.
  const { issues: sent, sending, refuse, send, forget } = useSubmit(UpdateCronDocument, FIELDS);
  const [typed, setTyped] = useState<FormData | null>(null);
  const [live, setLive] = useState<FormIssues | null>(null);
  const entered = useMemo(() => (typed ? readCron(typed) : enteredOf(cron)), [typed, cron]);
  const issues = withCurrent(sent, live);
  const submit = async (values: FormData): Promise<void> => {
    const read = readNamedCron(values);
    if (isIssue(read)) return refuse(read);
    if (await send({ input: { cronId: cron.id, ...patchOf(cron, read) } }, values)) onClose();
  };
  return (
    <FormFrame
      label="Change the cron"
      action="Save"
      sending={sending}
      issues={sent}
      onEdit={(control) => forget(fieldsWith(control))}
      onChange={setTyped}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="name" label="Name" issues={issues}>
        {(control) => <input {...control} autoComplete="off" defaultValue={cron.name} />}
      </Field>
      <ScheduleFields issues={issues} initial={cron.schedule} />
      <FunctionFields functions={functions} issues={issues} initial={cron} />
      <ExclusionFields issues={issues} initial={exclusionsOf(cron)} />
      <PolicyFields issues={issues} initial={policiesOf(cron)} />
      <SchedulePreview entered={entered} typed={typed} cron={cron} onChecked={setLive} />
    </FormFrame>
  );
}
