/** A titled section with a form that opens from its header. */
import { useRef, useState } from 'react';
import type { ReactNode } from 'react';

type PanelProps = {
  title: string;
  /** Empty while unknown. */
  count: ReactNode;
  action: string;
  /** Null while the form's data is loading. */
  form: ((close: () => void) => ReactNode) | null;
  children: ReactNode;
};

export function Panel({ title, count, action, form, children }: PanelProps) {
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setOpen(false);
    opener.current?.focus();
  };
  return (
    <section className="panel" aria-label={title}>
      <header className="panel-head">
        <h2>
          {title} <span className="count">{count}</span>
        </h2>
        <button ref={opener} type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {action}
        </button>
      </header>
      {open && (form ? form(close) : <p className="empty">Loading…</p>)}
      {children}
    </section>
  );
}
