/** A pattern: what it shows, the button that runs it, and where the next step is. */
import { useId, useState } from 'react';
import { Link } from 'react-router';
import { useClient } from 'urql';
import { reasonOf } from '../form/issues';
import { Answer } from './Answer';
import type { Outcome, Pattern } from './patterns';
import styles from './Playground.module.css';

export function PatternCard({ pattern }: { pattern: Pattern }) {
  const { title, name, text, run } = pattern;
  const id = useId();
  const client = useClient();
  const [sending, setSending] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>({});
  const next = outcome.next ?? pattern.next;
  const start = async (): Promise<void> => {
    if (sending) return;
    setSending(true);
    setOutcome(await run(client));
    setSending(false);
  };
  return (
    <li className={`card ${styles.pattern}`} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p className="hint">{text}</p>
      <div className={styles.buttons}>
        <button type="button" className="primary" aria-disabled={sending} onClick={() => void start()}>
          {name}
        </button>
        {next && <Link to={next.to}>{next.title}</Link>}
      </div>
      {outcome.request && (
        <div className={styles.buttons}>
          <Answer key={outcome.request.id} request={outcome.request} />
        </div>
      )}
      {outcome.error && (
        <p role="alert" className="issue">
          {reasonOf(outcome.error)}
        </p>
      )}
    </li>
  );
}
