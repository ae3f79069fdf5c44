/** A short state with its colours: `tone` is one of the `tone-…` classes of base.css. */
import type { ReactNode } from 'react';

export function Chip({ tone, children }: { tone: string; children: ReactNode }) {
  return (
    <span className={`chip ${tone}`}>
      <span className="dot" aria-hidden="true" />
      {children}
    </span>
  );
}
