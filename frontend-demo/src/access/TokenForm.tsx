/** Asks for a bearer token if the server did not provide one. */
import { Mark } from '../app/Mark';
import { keepToken } from './access';

type TokenFormProps = { refused: boolean; onToken: () => void };

export function TokenForm({ refused, onToken }: TokenFormProps) {
  return (
    <main className="gate">
      <Mark />
      <h1>Ostinato</h1>
      {refused && (
        <p role="alert" className="issue banner">
          The server did not accept this token. It may have expired.
        </p>
      )}
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          keepToken(String(new FormData(event.currentTarget).get('token')));
          onToken();
        }}
      >
        <div className="field">
          <label htmlFor="token">Token</label>
          <textarea id="token" name="token" className="code" rows={4} required spellCheck={false} />
          <div className="notes">
            <p className="hint">
              Your bearer token (<code>ostinato token --sub alice</code> creates one). It is stored until this tab
              is closed.
            </p>
          </div>
        </div>
        <div className="form-buttons">
          <button type="submit" className="primary">
            Continue
          </button>
        </div>
      </form>
    </main>
  );
}
