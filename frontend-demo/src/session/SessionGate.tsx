/** Opens the session, and shows its children only once there is a token to call with. */
import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { forgetToken, openSession } from './session';
import type { Session } from './session';
import { TokenForm } from './TokenForm';

type Gate = { session: Session | null; problem: string | null; refused: boolean };

type SessionGateProps = { children: (session: Session, onRefused: () => void) => ReactNode };

export function SessionGate({ children }: SessionGateProps) {
  const [gate, setGate] = useState<Gate>({ session: null, problem: null, refused: false });
  const open = (): void => {
    openSession().then(
      (session) => setGate({ session, problem: null, refused: false }),
      (error: Error) => setGate({ session: null, problem: error.message, refused: false }),
    );
  };
  const refuse = (): void => {
    forgetToken();
    setGate((before) => ({ ...before, refused: true }));
  };
  useEffect(open, []);
  const { session, problem, refused } = gate;
  if (problem !== null) {
    return (
      <main className="gate">
        <p role="alert" className="issue banner">
          The API could not be reached: {problem}
        </p>
        <button type="button" onClick={open}>
          Try again
        </button>
      </main>
    );
  }
  if (session === null) return <p className="gate hint">Opening…</p>;
  if (refused || session.token === '') return <TokenForm refused={refused} onToken={open} />;
  return children(session, refuse);
}
