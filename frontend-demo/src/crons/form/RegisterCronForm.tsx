/** The form to register a cron, with a preview of its runs. */
import { useState } from 'react';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { FunctionFields, INVALID_JSON_MESSAGE, readFunction } from '../../form/FunctionFields';
import type { Runnable } from '../../form/functions';
import { fieldIssue } from '../../form/issues';
import { useSubmit } from '../../form/useSubmit';
import { RegisterCronDocument } from '../../generated';
import { NO_POLICIES, PolicyFields } from './PolicyFields';
import { ScheduleFields } from './ScheduleFields';
import { INVALID_DURATION, readPolicies, readSchedule, text } from './values';
import type { EnteredSchedule } from './values';

type RegisterCronFormProps = { functions: Runnable[]; onClose: () => void };

export const FIELDS = [
  ...['name', 'intervalMs', 'cronspec', 'tz', 'functionName', 'args'],
  ...['overlap', 'catchUp', 'jitterMs', 'startAt', 'endAt'],
];

export function RegisterCronForm({ functions, onClose }: RegisterCronFormProps) {
  const { issues, sending, refuse, send } = useSubmit(RegisterCronDocument, FIELDS);
  const [entered, setEntered] = useState<EnteredSchedule | 'invalid'>({ intervalMs: 5_000 });
  const submit = async (values: FormData): Promise<void> => {
    const chosen = readFunction(values);
    const schedule = readSchedule(values);
    const policies = readPolicies(values);
    if (!chosen) return refuse(fieldIssue('args', INVALID_JSON_MESSAGE));
    if (schedule === 'invalid') return refuse(fieldIssue('intervalMs', INVALID_DURATION));
    if (policies === 'invalid') return refuse(fieldIssue('jitterMs', INVALID_DURATION));
    const accepted = await send({ input: { name: text(values, 'name'), ...chosen, ...schedule, ...policies } });
    if (accepted) onClose();
  };
  return (
    <FormFrame
      label="Register a cron"
      action="Register"
      sending={sending}
      issues={issues}
      onChange={(values) => setEntered(readSchedule(values))}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="name" label="Name" hint="Unique among your crons" issues={issues}>
        {(control) => <input {...control} autoComplete="off" />}
      </Field>
      <ScheduleFields issues={issues} entered={entered} />
      <FunctionFields functions={functions} issues={issues} serverFillsDefaults />
      <PolicyFields issues={issues} initial={NO_POLICIES} />
    </FormFrame>
  );
}
