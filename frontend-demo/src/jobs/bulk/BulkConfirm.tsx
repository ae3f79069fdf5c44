/** Asks before many jobs are changed, and starts it. */
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { useMutation } from 'urql';
import { CancelJobsDocument, RetryJobsDocument } from '../../generated';
import { reasonOf } from '../../form/issues';
import type { BulkKind, Offer } from './changes';

export const NAMES: Record<BulkKind, { verb: string; states: string }> = {
  CANCEL_JOBS: { verb: 'Cancel', states: 'pending and running' },
  RETRY_JOBS: { verb: 'Retry', states: 'failed and canceled' },
};

export function countText({ count, isExact }: Extract<Offer, { possible: true }>): string {
  if (count === null) return 'all matching jobs';
  return `${count.toLocaleString()}${isExact ? '' : ' or more'} ${count === 1 ? 'job' : 'jobs'}`;
}

export type BulkConfirmProps = { kind: BulkKind; offer: Extract<Offer, { possible: true }>; onDone: () => void };

export function BulkConfirm({ kind, offer, onDone }: BulkConfirmProps) {
  const [{ fetching, error }, start] = useMutation(kind === 'CANCEL_JOBS' ? CancelJobsDocument : RetryJobsDocument);
  const { verb, states } = NAMES[kind];
  const confirm = async (): Promise<void> => {
    if (!(await start({ filter: offer.filter })).error) onDone();
  };
  return (
    <AlertDialog.Popup className="dialog dialog-small">
      <AlertDialog.Title className="dialog-title">
        {verb} {countText(offer)}?
      </AlertDialog.Title>
      <AlertDialog.Description className="hint">
        All {states} jobs that match the filter now, also those that are not loaded. Jobs that are created later are not
        changed. It runs in the background, and can be stopped.
      </AlertDialog.Description>
      {error && (
        <p role="alert" className="issue banner">
          {reasonOf(error)}
        </p>
      )}
      <div className="form-buttons">
        <AlertDialog.Close className="quiet">Close</AlertDialog.Close>
        <button type="button" className="danger" disabled={fetching} onClick={() => void confirm()}>
          {verb} them
        </button>
      </div>
    </AlertDialog.Popup>
  );
}
