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
  onClick: () => void;
};

export function ActionButton({ label, target, error, disabled, danger, onClick }: ActionButtonProps) {
  return (
    <>
      <button
        type="button"
        className={danger ? 'small danger' : 'small'}
        aria-label={`${label} ${target}`}
        aria-disabled={disabled}
        onClick={disabled ? undefined : onClick}
      >
        {label}
      </button>
      {error && (
        <span role="alert" className="issue row-issue">
          {reasonOf(error)}
        </span>
      )}
    </>
  );
}
