/** A button that opens a form in a dialog. Escape closes it, and the focus returns to the button. */
import { useState } from 'react';
import type { ReactNode } from 'react';
import { Dialog } from '@base-ui/react/dialog';

type FormDialogProps = {
  /** The text of the button. */
  action: ReactNode;
  title: string;
  className?: string;
  disabled?: boolean;
  children: (close: () => void) => ReactNode;
};

export function FormDialog({ action, title, className = '', disabled, children }: FormDialogProps) {
  const [open, setOpen] = useState(false);
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
