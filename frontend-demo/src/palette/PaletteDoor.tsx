/** Opens the palette with Ctrl+K, ⌘K or its buttons; its code is loaded when it is opened first. */
import { Suspense, lazy, useEffect, useRef } from 'react';
import { ErrorBoundary } from '../ui/ErrorBoundary';

const Palette = lazy(() => import('./Palette'));

type PaletteDoorProps = { open: boolean; onOpenChange: (open: boolean) => void };

export function PaletteDoor({ open, onOpenChange }: PaletteDoorProps) {
  const wasOpened = useRef(false);
  wasOpened.current ||= open;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      onOpenChange(!open);
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [open, onOpenChange]);
  if (!wasOpened.current) return null;
  return (
    <ErrorBoundary>
      <Suspense>
        <Palette open={open} onOpenChange={onOpenChange} />
      </Suspense>
    </ErrorBoundary>
  );
}
