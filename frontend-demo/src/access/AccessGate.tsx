/** Reads how to call the API, and shows its children when the user may have access. */
import { useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { forgetToken, readAccess } from './access';
import type { Access } from './access';
import { SignInForm } from './SignInForm';
import { TokenForm } from './TokenForm';

type Gate = { access: Access | null; problem: string | null; refused: boolean };

type AccessGateProps = { children: (access: Access, onRefused: () => void) => ReactNode };

export function AccessGate({ children }: AccessGateProps) {
  const [gate, setGate] = useState<Gate>({ access: null, problem: null, refused: false });
  const open = (): void => {
    readAccess().then(
      (access) => setGate({ access, problem: null, refused: false }),
      (error: Error) => setGate({ access: null, problem: error.message, refused: false }),
    );
  };
  const refuse = (): void => {
    forgetToken();
    gate.access?.signIn?.forget();
    setGate((before) => ({ ...before, refused: true }));
  };
  useEffect(open, []);
  const { access, problem, refused } = gate;
  if (problem !== null) {
    return (
      <main className="gate">
        <p role="alert" className="issue banner">
          The API is not reachable: {problem}
        </p>
        <button type="button" onClick={open}>
          Try again
        </button>
      </main>
    );
  }
  if (access === null) return <p className="gate hint">Opening…</p>;
  if (refused && !access.usesTokens) {
    return (
      <main className="gate">
        <p role="alert" className="issue banner">
          You are not signed in to the application: sign in, then reload this page.
        </p>
      </main>
    );
  }
  if (access.signIn && (refused || access.token === '')) {
    return <SignInForm signIn={access.signIn} refused={refused} />;
  }
  if (refused || (access.usesTokens && access.token === '')) return <TokenForm refused={refused} onToken={open} />;
  return children(access, refuse);
}
