/** The progress of a batch and its actions. */
import { CancelBatchDocument, PauseBatchDocument, ResumeBatchDocument } from '../generated';
import type { BatchRowFragment } from '../generated';
import { Actions, action } from '../ui/Actions';
import { FormDialog } from '../ui/FormDialog';
import { RateForm } from './RateForm';

export const STATES: Record<BatchRowFragment['state'], { name: string; tone: string }> = {
  RUNNING: { name: 'Running', tone: 'tone-in-progress' },
  PAUSED: { name: 'Paused', tone: 'tone-paused' },
  DONE: { name: 'Done', tone: 'tone-success' },
  CANCELED: { name: 'Canceled', tone: 'tone-canceled' },
  FAILED: { name: 'Failed', tone: 'tone-failed' },
};

export function Progress({ batch: { processed, failed, remaining } }: { batch: BatchRowFragment }) {
  const total = remaining === null ? null : processed + failed + remaining;
  const done = (processed + failed).toLocaleString();
  return (
    <span className="load">
      {total !== null && total > 0 && <progress value={processed + failed} max={total} aria-label="Progress" />}
      {total === null ? done : `${done} of ${total.toLocaleString()}`}
      {failed > 0 && <span className="issue">{failed.toLocaleString()} failed</span>}
    </span>
  );
}

export function BatchActions({ batch }: { batch: BatchRowFragment }) {
  const variables = { input: { batchId: batch.id } };
  const isOpen = batch.state === 'RUNNING' || batch.state === 'PAUSED';
  if (!isOpen) return null;
  const actions = [
    batch.state === 'RUNNING'
      ? action('Pause', PauseBatchDocument, variables)
      : action('Resume', ResumeBatchDocument, variables),
    action('Cancel', CancelBatchDocument, variables, { asks: true }),
  ];
  return (
    <span className="row-actions">
      <FormDialog action="Change rate" title="Change the rate" className="small">
        {(close) => <RateForm batch={batch} onClose={close} />}
      </FormDialog>
      <Actions actions={actions} target={`batch of ${batch.source}`} />
    </span>
  );
}
