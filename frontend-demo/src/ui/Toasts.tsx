/** Short messages about what an action did. `useToasts().add({ title, description })` shows one. */
import { Toast } from '@base-ui/react/toast';
import { X } from 'lucide-react';

export const useToasts = Toast.useToastManager;

export function Toasts() {
  const { toasts } = useToasts();
  return (
    <Toast.Portal>
      <Toast.Viewport className="toasts">
        {toasts.map((toast) => (
          <Toast.Root key={toast.id} toast={toast} className="toast">
            <Toast.Content className="toast-content">
              <Toast.Title className="toast-title" />
              <Toast.Description className="hint" />
              <Toast.Close className="icon-button" aria-label="Dismiss">
                <X aria-hidden="true" size={16} />
              </Toast.Close>
            </Toast.Content>
          </Toast.Root>
        ))}
      </Toast.Viewport>
    </Toast.Portal>
  );
}
