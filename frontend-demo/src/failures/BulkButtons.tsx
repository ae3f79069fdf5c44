/** Buttons that retry or resolve all failures of a group, or of the filter, after a question. */
import { ResolveFailuresDocument, RetryFailuresDocument } from '../generated';
import { action } from '../ui/Actions';
import type { Question } from '../ui/ConfirmDialog';
import type { FailuresOffer } from './changes';

type BulkButtonsProps = {
  offer: FailuresOffer;
  /** What is changed, in the question and for screen readers: `12 failures of reports.send`. */
  target: string;
  /** After the names of the buttons. */
  all?: string;
  ask: (question: Question) => void;
  className?: string;
};

const CHOICES = [
  { verb: 'Retry', danger: false, document: RetryFailuresDocument },
  { verb: 'Resolve', danger: true, document: ResolveFailuresDocument },
];

const DESCRIPTION = `Those that match now; later failures are not changed. It runs in the background, and can be
  stopped.`;

export function BulkButtons({ offer, target, all = '', ask, className }: BulkButtonsProps) {
  if (!offer.possible) return <span className="hint">{offer.reason}</span>;
  const { filter } = offer;
  return (
    <span className="row-actions">
      {CHOICES.map(({ verb, danger, document }) => (
        <button
          key={verb}
          type="button"
          className={className}
          aria-haspopup="dialog"
          aria-label={`${verb} ${target}`}
          onClick={() =>
            ask({
              title: `${verb} ${target}?`,
              description: DESCRIPTION,
              danger,
              action: action(`${verb} them`, document, { filter }),
            })
          }
        >
          {verb}
          {all}
        </button>
      ))}
    </span>
  );
}
