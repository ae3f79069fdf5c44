/** Buttons that retry or resolve all failures of a group, or of the filter, after a question. */
import { ResolveFailuresDocument, RetryFailuresDocument } from '../generated';
import { action } from '../ui/Actions';
import type { Question } from '../ui/ConfirmDialog';
import { choiceOf } from './changes';
import type { FailuresOffer } from './changes';

type BulkButtonsProps = {
  offer: FailuresOffer;
  /** The function whose failures are changed, in the question and for screen readers; without it, all that match. */
  of?: string;
  /** After the names of the buttons. */
  all?: string;
  ask: (question: Question) => void;
  className?: string;
};

const CHANGES = [
  { change: 'Retry', danger: false, document: RetryFailuresDocument },
  { change: 'Resolve', danger: true, document: ResolveFailuresDocument },
] as const;

export function BulkButtons({ offer, of = '', all = '', ask, className }: BulkButtonsProps) {
  if (!offer.possible) return <span className="hint">{offer.reason}</span>;
  const { filter } = offer;
  return (
    <span className="row-actions">
      {CHANGES.map(({ change, danger, document }) => {
        const choice = choiceOf(change, offer, of);
        if (!choice) return null;
        const { label, title, description, confirm } = choice;
        return (
          <button
            key={change}
            type="button"
            className={className}
            aria-haspopup="dialog"
            aria-label={title.slice(0, -1)}
            onClick={() => ask({ title, description, danger, action: action(confirm, document, { filter }) })}
          >
            {all && label === change ? `${label}${all}` : label}
          </button>
        );
      })}
    </span>
  );
}
