/** The form to register a cron, with a preview of its ticks. */
import { useMemo, useState } from 'react';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { FunctionFields } from '../../form/FunctionFields';
import type { Runnable } from '../../form/functions';
import { withCurrent } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import { isIssue } from '../../form/read';
import { useSubmit } from '../../form/useSubmit';
import { RegisterCronDocument } from '../../generated';
import { ExclusionFields } from './ExclusionFields';
import { NO_EXCLUSIONS, exclusionsInput } from './exclusions';
import { NO_POLICIES, PolicyFields } from './PolicyFields';
import { ScheduleFields } from './ScheduleFields';
import { SchedulePreview } from './SchedulePreview';
import { FIELDS, fieldsWith, readCron, readNamedCron } from './values';
import type { EnteredCron } from './values';

type RegisterCronFormProps = { functions: Runnable[]; onClose: () => void };

const INITIAL: EnteredCron = {
  name: '',
  functionName: '',
  args: {},
  schedule: { intervalMs: 5_000 },
  policies: NO_POLICIES,
  exclusions: NO_EXCLUSIONS,
};

export function RegisterCronForm({ functions, onClose }: RegisterCronFormProps) {
  const { issues: sent, sending, refuse, send, forget } = useSubmit(RegisterCronDocument, FIELDS);
  const [typed, setTyped] = useState<FormData | null>(null);
  const [live, setLive] = useState<FormIssues | null>(null);
  const entered = useMemo(() => (typed ? readCron(typed) : INITIAL), [typed]);
  const issues = withCurrent(sent, live);
  const submit = async (values: FormData): Promise<void> => {
    const read = readNamedCron(values);
    if (isIssue(read)) return refuse(read);
    const { schedule, policies, exclusions, ...rest } = read;
    const input = { ...rest, ...schedule, ...policies, exclusions: exclusionsInput(exclusions) };
    if (await send({ input }, values)) onClose();
  };
  return (
    <FormFrame
      label="Register a cron"
      action="Register"
      sending={sending}
      issues={sent}
      onEdit={(control) => forget(fieldsWith(control))}
      onChange={setTyped}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="name" label="Name" hint="Unique among your crons" issues={issues}>
        {(control) => <input {...control} autoComplete="off" />}
      </Field>
      <ScheduleFields issues={issues} />
      <FunctionFields functions={functions} issues={issues} serverFillsDefaults />
      <ExclusionFields issues={issues} initial={NO_EXCLUSIONS} />
      <PolicyFields issues={issues} initial={NO_POLICIES} />
      <SchedulePreview entered={entered} typed={typed} cron={null} onChecked={setLive} />
    </FormFrame>
  );
}
