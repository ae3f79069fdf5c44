/** The form that changes the pace of a running batch. */
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { fieldIssue } from '../form/issues';
import { useSubmit } from '../form/useSubmit';
import { UpdateBatchDocument } from '../generated';
import type { BatchRowFragment } from '../generated';
import { formatDuration } from '../time/format';
import { parseDuration } from '../time/parseDuration';

type RateFormProps = { batch: BatchRowFragment; onClose: () => void };

export function RateForm({ batch, onClose }: RateFormProps) {
  const { issues, sending, refuse, send } = useSubmit(UpdateBatchDocument, ['batchSize', 'delayMs']);
  const submit = async (values: FormData): Promise<void> => {
    const batchSize = Number(values.get('batchSize'));
    const delayMs = parseDuration(String(values.get('delayMs')));
    if (!Number.isInteger(batchSize)) return refuse(fieldIssue('batchSize', 'Enter a whole number.'));
    if (delayMs === null) return refuse(fieldIssue('delayMs', 'Enter a duration, such as 2 s.'));
    if (await send({ input: { batchId: batch.id, batchSize, delayMs } })) onClose();
  };
  return (
    <FormFrame
      label="Change the pace"
      action="Save"
      sending={sending}
      issues={issues}
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
