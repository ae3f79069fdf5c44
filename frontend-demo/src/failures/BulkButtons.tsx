/** Buttons that retry or resolve all failures of a group, or of the filter, after a question. */
import { ResolveFailuresDocument, RetryFailuresDocument } from '../generated';
import type { FailureFilter } from '../generated';
import type { Action } from '../ui/Actions';
import type { Question } from '../ui/ConfirmDialog';
import { choiceOf } from './changes';
import type { Change, FailuresOffer } from './changes';

export type BulkButtonsProps = {
  offer: FailuresOffer;
  /** The function whose failures are changed, in the question and for screen readers; without it, all that match. */
  of?: string;
  /** After the names of the buttons. */
  all?: string;
  ask: (question: Question) => void;
  /** Called when jobs are being retried. */
  onRetry: (bulkActionId: string, filter: FailureFilter) => void;
  /** The id of the text that says why some cannot be retried. */
  describedBy?: string | undefined;
  className?: string;
};

const CHANGES: readonly Change[] = ['Retry', 'Resolve'];

type Run = Action['run'];

function retry(filter: FailureFilter, onRetry: BulkButtonsProps['onRetry']): Run {
  return async (client) => {
    const result = await client.mutation(RetryFailuresDocument, { filter }).toPromise();
    const id = result.data?.retryFailures?.bulkActionId;
    if (id !== undefined) onRetry(id, filter);
    return result;
  };
}

function resolve(filter: FailureFilter): Run {
  return (client) => client.mutation(ResolveFailuresDocument, { filter }).toPromise();
}

export function BulkButtons({ offer, of = '', all = '', ask, onRetry, describedBy, className }: BulkButtonsProps) {
  if (!offer.possible) return <span className="hint">{offer.reason}</span>;
  const { filter } = offer;
  return (
    <span className="row-actions">
      {CHANGES.map((change) => {
        const choice = choiceOf(change, offer, of);
        if (!choice) return null;
        const { label, title, description, confirm } = choice;
        const isRetry = change === 'Retry';
        const run = isRetry ? retry(filter, onRetry) : resolve(filter);
        return (
          <button
            key={change}
            type="button"
            className={className}
            aria-haspopup="dialog"
            aria-label={title.slice(0, -1)}
            aria-describedby={isRetry ? describedBy : undefined}
            onClick={() => ask({ title, description, danger: !isRetry, action: { label: confirm, run } })}
          >
            {all && label === change ? `${label}${all}` : label}
          </button>
        );
      })}
    </span>
  );
}
