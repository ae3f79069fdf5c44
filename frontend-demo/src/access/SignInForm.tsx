/** Offers to sign in at the issuer. */
import { useState } from 'react';
import { Mark } from '../app/Mark';
import type { SignIn } from './signIn';

type SignInFormProps = { signIn: SignIn; refused: boolean };

export function SignInForm({ signIn, refused }: SignInFormProps) {
  const [failed, setFailed] = useState(signIn.problem);
  const start = (): void => {
    signIn.start().catch((error: Error) => setFailed(`The issuer is not reachable: ${error.message}`));
  };
  return (
    <main className="gate">
      <Mark />
      <h1>Ostinato</h1>
      {refused && failed === null && (
        <p role="alert" className="issue banner">
          The server did not accept your token. Sign in again.
        </p>
      )}
      {failed !== null && (
        <p role="alert" className="issue banner">
          {failed}
        </p>
      )}
      <button type="button" className="primary" onClick={start}>
        Sign in
      </button>
    </main>
  );
}
