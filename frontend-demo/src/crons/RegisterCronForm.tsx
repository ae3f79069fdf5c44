/** The form to register a cron: name, schedule and function. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { FunctionFields, NOT_JSON, readFunction } from '../form/FunctionFields';
import type { Runnable } from '../form/functions';
import { problemAt } from '../form/issues';
import { NOT_MS, readMs } from '../form/milliseconds';
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
  const { problems, sending, refuse, send } = useSubmit(RegisterCronDocument, FIELDS);
  const submit = async (values: FormData): Promise<void> => {
    const chosen = readFunction(values);
    const intervalMs = readMs(values.get('intervalMs'));
    if (!chosen) return refuse(problemAt('args', NOT_JSON));
    if (intervalMs === 'invalid') return refuse(problemAt('intervalMs', NOT_MS));
    const name = String(values.get('name'));
    const accepted = await send({ input: { name, ...chosen, ...readSchedule(values, intervalMs) } });
    if (accepted) onClose();
  };
  return (
    <FormFrame
      label="Register a cron"
      action="Register"
      sending={sending}
      problems={problems}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="name" label="Name" hint="Unique among your crons" problems={problems}>
        {(control) => <input {...control} autoComplete="off" />}
      </Field>
      <ScheduleFields problems={problems} />
      <FunctionFields functions={functions} problems={problems} completed />
    </FormFrame>
  );
}
