/** A titled section whose form opens from its head. */
import { useState } from 'react';
import type { ReactNode } from 'react';

type PanelProps = {
  title: string;
  count: number;
  action: string;
  form: (close: () => void) => ReactNode;
  children: ReactNode;
};

export function Panel({ title, count, action, form, children }: PanelProps) {
  const [open, setOpen] = useState(false);
  return (
    <section className="panel" aria-label={title}>
      <header className="panel-head">
        <h2>
          {title} <span className="count">{count}</span>
        </h2>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {action}
        </button>
      </header>
      {open && form(() => setOpen(false))}
      {children}
    </section>
  );
}
