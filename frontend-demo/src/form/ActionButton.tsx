/** A small button of a row; when its mutation fails, it says why. */
import type { CombinedError } from '@urql/core';

type ActionButtonProps = {
  label: string;
  /** What it acts on, for those who hear the button alone. */
  of: string;
  error: CombinedError | undefined;
  disabled: boolean;
  danger?: boolean;
  onClick: () => void;
};

function reason(error: CombinedError): string {
  return error.graphQLErrors[0]?.message ?? 'The API could not be reached.';
}

export function ActionButton({ label, of, error, disabled, danger, onClick }: ActionButtonProps) {
  return (
    <>
      <button
        type="button"
        className={danger ? 'small danger' : 'small'}
        aria-label={`${label} ${of}`}
        disabled={disabled}
        onClick={onClick}
      >
        {label}
      </button>
      {error && (
        <span role="alert" className="issue row-issue">
          {reason(error)}
        </span>
      )}
    </>
  );
}
