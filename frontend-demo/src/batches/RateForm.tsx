/** The form that changes the rate of a running batch. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { NOT_A_DURATION, Problem, isIssue, readAll, readDuration } from '../form/read';
import { useSubmit } from '../form/useSubmit';
import { UpdateBatchDocument } from '../generated';
import type { BatchRowFragment } from '../generated';
import { formatDuration } from '../time/format';

type RateFormProps = { batch: BatchRowFragment; onClose: () => void };

export function RateForm({ batch, onClose }: RateFormProps) {
  const { issues, sending, refuse, send, forget } = useSubmit(UpdateBatchDocument, ['batchSize', 'delayMs']);
  const submit = async (values: FormData): Promise<void> => {
    const batchSize = Number(values.get('batchSize'));
    const read = readAll({
      batchSize: Number.isInteger(batchSize) ? batchSize : new Problem('Enter a whole number.'),
      delayMs: readDuration(values, 'delayMs') ?? NOT_A_DURATION,
    });
    if (isIssue(read)) return refuse(read);
    if (await send({ input: { batchId: batch.id, ...read } }, values)) onClose();
  };
  return (
    <FormFrame
      label="Change the rate"
      action="Save"
      sending={sending}
      issues={issues}
      onEdit={forget}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      <Field name="batchSize" label="Items per page" issues={issues}>
        {(control) => <input {...control} inputMode="numeric" defaultValue={batch.batchSize} />}
      </Field>
      <Field name="delayMs" label="Delay between pages" issues={issues}>
        {(control) => <input {...control} autoComplete="off" defaultValue={formatDuration(batch.delayMs)} />}
      </Field>
    </FormFrame>
  );
}
