/** Asks before something is done. Escape closes it, and the focus returns to what opened it. */
import { useState } from 'react';
import type { ReactNode } from 'react';
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { useClient } from 'urql';
import type { CombinedError } from '@urql/core';
import { reasonOf } from '../form/issues';
import type { Action } from './Actions';

export type Question = {
  title: string;
  description: ReactNode;
  /** Whether it ends something, and its button is red. */
  danger: boolean;
  /** What is done on confirmation; its label is that of the button. */
  action: Action;
};

type ConfirmDialogProps = {
  /** Null before the first question; the dialog keeps its content while it closes. */
  question: Question | null;
  open: boolean;
  onClose: () => void;
  /** Called after it was done. */
  onDone?: (() => void) | undefined;
};

export function ConfirmDialog({ question, open, onClose, onDone }: ConfirmDialogProps) {
  return (
    <AlertDialog.Root open={open} onOpenChange={(opened) => !opened && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        {question && (
          <Popup
            question={question}
            onDone={() => {
              onDone?.();
              onClose();
            }}
          />
        )}
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

function Popup({ question, onDone }: { question: Question; onDone: () => void }) {
  const { title, description, danger, action } = question;
  const client = useClient();
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<CombinedError | undefined>();
  const confirm = async (): Promise<void> => {
    if (sending) return;
    setSending(true);
    const result = await action.run(client);
    setSending(false);
    setError(result.error);
    if (!result.error) onDone();
  };
  return (
    <AlertDialog.Popup className="dialog dialog-small">
      <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
      <AlertDialog.Description className="hint">{description}</AlertDialog.Description>
      {error && (
        <p role="alert" className="issue banner">
          {reasonOf(error)}
        </p>
      )}
      <div className="form-buttons">
        <AlertDialog.Close className="quiet">Close</AlertDialog.Close>
        <button type="button" className={danger ? 'danger' : 'primary'} aria-disabled={sending} onClick={() => void confirm()}>
          {action.label}
        </button>
      </div>
    </AlertDialog.Popup>
  );
}

type Asking = { ask: (question: Question) => void; dialog: ReactNode };

/** Return what asks a question, and the dialog to render. */
export function useConfirm(onDone?: () => void): Asking {
  const [question, setQuestion] = useState<Question | null>(null);
  const [open, setOpen] = useState(false);
  const ask = (asked: Question): void => {
    setQuestion(asked);
    setOpen(true);
  };
  const dialog = <ConfirmDialog question={question} open={open} onClose={() => setOpen(false)} onDone={onDone} />;
  return { ask, dialog };
}
