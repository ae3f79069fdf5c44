/** A pattern with the button that runs it. */
import { useState } from 'react';
import { Link } from 'react-router';
import { useClient } from 'urql';
import type { CombinedError } from '@urql/core';
import { reasonOf } from '../form/issues';
import { Answer } from './Answer';
import type { Pattern } from './patterns';
import styles from './Playground.module.css';

export function PatternCard({ pattern }: { pattern: Pattern }) {
  const client = useClient();
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<CombinedError>();
  const [requestId, setRequestId] = useState<string>();
  const run = async (): Promise<void> => {
    if (sending) return;
    setSending(true);
    const outcome = await pattern.run(client);
    setSending(false);
    setError(outcome.error);
    setRequestId(outcome.requestId);
  };
  return (
    <li className={`card ${styles.pattern}`}>
      <p className="hint">{pattern.text}</p>
      <div className={styles.buttons}>
        <button type="button" className="primary" aria-disabled={sending} onClick={() => void run()}>
          {pattern.name}
        </button>
        {pattern.page && <Link to={pattern.page.to}>{pattern.page.title}</Link>}
        {requestId !== undefined && <Answer key={requestId} requestId={requestId} />}
      </div>
      {error && (
        <p role="alert" className="issue">
          {reasonOf(error)}
        </p>
      )}
    </li>
  );
}
