/** The form to register a cron: name, schedule and function. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { FunctionFields, INVALID_JSON_MESSAGE, readFunction } from '../form/FunctionFields';
import type { Runnable } from '../form/functions';
import { fieldIssue } from '../form/issues';
import { INVALID_MS_MESSAGE, readMs } from '../form/milliseconds';
import { useSubmit } from '../form/useSubmit';
import { RegisterCronDocument } from '../generated';
import { ScheduleFields } from './ScheduleFields';

type RegisterCronFormProps = { functions: Runnable[]; onClose: () => void };

const FIELDS = ['name', 'intervalMs', 'cronspec', 'tz', 'functionName', 'args'];

/** Read the selected kind of schedule; the other kind is not sent. */
function readSchedule(values: FormData, intervalMs: number | null) {
  if (values.get('kind') === 'interval') return { intervalMs };
  return { cronspec: String(values.get('cronspec')), tz: String(values.get('tz')) };
}

export function RegisterCronForm({ functions, onClose }: RegisterCronFormProps) {
  const { issues, sending, refuse, send } = useSubmit(RegisterCronDocument, FIELDS);
  const submit = async (values: FormData): Promise<void> => {
    const chosen = readFunction(values);
    const intervalMs = readMs(values.get('intervalMs'));
    if (!chosen) return refuse(fieldIssue('args', INVALID_JSON_MESSAGE));
    if (intervalMs === 'invalid') return refuse(fieldIssue('intervalMs', INVALID_MS_MESSAGE));
    const name = String(values.get('name'));
    const accepted = await send({ input: { name, ...chosen, ...readSchedule(values, intervalMs) } });
    if (accepted) onClose();
  };
  return (
    <FormFrame
      label="Register a cron"
      action="Register"
      sending={sending}
      issues={issues}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="name" label="Name" hint="Unique among your crons" issues={issues}>
        {(control) => <input {...control} autoComplete="off" />}
      </Field>
      <ScheduleFields issues={issues} />
      <FunctionFields functions={functions} issues={issues} serverFillsDefaults />
    </FormFrame>
  );
}
