/** A button whose action must be confirmed in a dialog, which also shows why the action failed. */
import { useState } from 'react';
import type { ReactNode } from 'react';
import { AlertDialog } from '@base-ui/react/alert-dialog';
import type { CombinedError } from '@urql/core';
import { reasonOf } from '../form/issues';

type ConfirmButtonProps = {
  label: string;
  /** Asked in the dialog, such as `Delete the cron "report"?`. */
  question: string;
  /** What will happen. */
  children: ReactNode;
  className?: string;
  disabled?: boolean;
  /** Runs the action; resolves to its error, if it failed. */
  onConfirm: () => Promise<CombinedError | undefined>;
};

export function ConfirmButton(props: ConfirmButtonProps) {
  const { label, question, children, className = 'small', disabled, onConfirm } = props;
  const [open, setOpen] = useState(false);
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<CombinedError>();
  const confirm = async (): Promise<void> => {
    setSending(true);
    const failed = await onConfirm();
    setSending(false);
    setError(failed);
    if (!failed) setOpen(false);
  };
  const change = (opened: boolean): void => {
    setError(undefined);
    setOpen(opened);
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={change}>
      <AlertDialog.Trigger className={className} disabled={disabled}>
        {label}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog dialog-small">
          <AlertDialog.Title className="dialog-title">{question}</AlertDialog.Title>
          <AlertDialog.Description className="hint">{children}</AlertDialog.Description>
          {error && (
            <p role="alert" className="issue banner">
              {reasonOf(error)}
            </p>
          )}
          <div className="form-buttons">
            <AlertDialog.Close className="quiet">Keep it</AlertDialog.Close>
            <button type="button" className="danger" disabled={sending} onClick={() => void confirm()}>
              {sending ? 'Sending…' : label}
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
