/** A button that resolves all failures of a group, or of the filter, after a question. */
import { ResolveFailuresDocument } from '../generated';
import { action } from '../ui/Actions';
import type { Question } from '../ui/ConfirmDialog';
import type { Offer } from './changes';

type BulkButtonsProps = {
  offer: Offer;
  label: string;
  /** What is changed, in the question and for screen readers: `12 failures of reports.send`. */
  target: string;
  ask: (question: Question) => void;
  className?: string;
};

const DESCRIPTION = `Those that match now; later failures are not changed. It runs in the background, and can be
  stopped.`;

export function BulkButtons({ offer, label, target, ask, className }: BulkButtonsProps) {
  if (!offer.possible) return <span className="hint">{offer.reason}</span>;
  const start = action('Resolve them', ResolveFailuresDocument, { filter: offer.filter });
  return (
    <button
      type="button"
      className={className}
      aria-label={`Resolve ${target}`}
      onClick={() => ask({ title: `Resolve ${target}?`, description: DESCRIPTION, action: start })}
    >
      {label}
    </button>
  );
}
