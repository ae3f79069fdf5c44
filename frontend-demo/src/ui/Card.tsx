/** A titled section of a page. */
import { useId } from 'react';
import type { ReactNode } from 'react';

type CardProps = {
  title: ReactNode;
  /** At the right of the title. */
  actions?: ReactNode;
  children: ReactNode;
};

export function Card({ title, actions, children }: CardProps) {
  const id = useId();
  return (
    <section className="card" aria-labelledby={id}>
      <header className="card-head">
        <h2 id={id}>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}
