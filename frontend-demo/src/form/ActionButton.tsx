/** A small button in a row; shows the error if its mutation fails. */
import type { CombinedError } from '@urql/core';
import { reasonOf } from './issues';

type ActionButtonProps = {
  label: string;
  /** What it acts on, for screen readers. */
  target: string;
  error: CombinedError | undefined;
  /** It ignores clicks, but keeps the keyboard focus. */
  disabled: boolean;
  danger?: boolean;
  /** The text that it may get after a click: it is wide enough for both, so that nothing moves. */
  confirm?: string | undefined;
  onClick: () => void;
};

export function ActionButton({ label, target, error, disabled, danger, confirm, onClick }: ActionButtonProps) {
  return (
    <>
      <button
        type="button"
        className={danger ? 'small danger' : 'small'}
        aria-label={`${label} ${target}`}
        aria-disabled={disabled}
        onClick={disabled ? undefined : onClick}
      >
        {confirm ? (
          <span className="roomy" data-longest={confirm}>
            {label}
          </span>
        ) : (
          label
        )}
      </button>
      {error && (
        <span role="alert" className="issue row-issue">
          {reasonOf(error)}
        </span>
      )}
    </>
  );
}
