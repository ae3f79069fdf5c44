/** A page: its title, which is also the window's, its actions, and its content. */
import { useEffect } from 'react';
import type { ReactNode } from 'react';
import { useConnection } from '../access/ConnectionChip';
import { useSession } from '../app/session';

type PageProps = {
  title: string;
  /** Beside the title, such as a count or a state. */
  note?: ReactNode;
  /** Buttons at the right of the title. */
  actions?: ReactNode;
  children: ReactNode;
};

export function Page({ title, note, actions, children }: PageProps) {
  const { connection } = useSession();
  const isLost = useConnection(connection) === 'reconnecting';
  useEffect(() => {
    document.title = `${title} · Ostinato`;
  }, [title]);
  return (
    <>
      <header className="page-head">
        <h1>{title}</h1>
        {note}
        <div className="page-actions">{actions}</div>
      </header>
      {isLost && (
        <div className="banner warning lost">
          <span role="status">The connection is lost. What you see may have changed since.</span>
          <button type="button" className="small" onClick={() => connection.retryNow()}>
            Retry now
          </button>
        </div>
      )}
      {children}
    </>
  );
}
