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
  /** Whether it was clicked once, and a second click does it. Its text is about as wide as before, so that nothing moves. */
  isAsked?: boolean;
  onClick: () => void;
};

export function ActionButton({ label, target, error, disabled, isAsked, onClick }: ActionButtonProps) {
  return (
    <>
      <button
        type="button"
        className={isAsked ? 'small danger' : 'small'}
        aria-label={`${isAsked ? 'Really? ' : ''}${label} ${target}`}
        aria-disabled={disabled}
        onClick={disabled ? undefined : onClick}
      >
        {isAsked ? 'Really?' : label}
      </button>
      {error && (
        <span role="alert" className="issue row-issue">
          {reasonOf(error)}
        </span>
      )}
    </>
  );
}
