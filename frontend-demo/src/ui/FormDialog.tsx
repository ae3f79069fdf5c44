/** A button that opens a form in a dialog. Escape closes it, and the focus returns to the button. */
import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { Dialog } from '@base-ui/react/dialog';

/** Dialogs that are opened from elsewhere, with `navigate(to, { state: { dialog: name } })`. */
export type DialogName = 'schedule job' | 'register cron';

type FormDialogProps = {
  /** The text of the button. */
  action: ReactNode;
  title: string;
  name?: DialogName;
  className?: string;
  disabled?: boolean;
  children: (close: () => void) => ReactNode;
};

/** Open the dialog when it is asked for, once: not again after a reload. */
function useAsked(name: DialogName | undefined, isPossible: boolean, open: () => void): void {
  const { state, ...address } = useLocation();
  const navigate = useNavigate();
  const isAsked = name !== undefined && isPossible && (state as { dialog?: DialogName } | null)?.dialog === name;
  useEffect(() => {
    if (!isAsked) return;
    open();
    void navigate(address, { replace: true });
  }, [isAsked]);
}

export function FormDialog({ action, title, name, className = '', disabled, children }: FormDialogProps) {
  const [open, setOpen] = useState(false);
  useAsked(name, !disabled, () => setOpen(true));
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger className={className} disabled={disabled}>
        {action}
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{title}</Dialog.Title>
          {children(() => setOpen(false))}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
