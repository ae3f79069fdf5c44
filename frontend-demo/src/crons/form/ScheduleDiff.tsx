/** The ticks that an edit adds, removes and moves, before it is saved. */
import type { Changes } from './diff';
import styles from './ScheduleDiff.module.css';

const SIGNS = { added: '+', removed: '−', moved: '→' } as const;

/** `isChanged` is false for an edit that changes nothing; `changes` are missing until the ticks have been compared. */
export function ScheduleDiff({ isChanged, changes }: { isChanged: boolean; changes: Changes | null | undefined }) {
  if (!isChanged) return <p className={`hint ${styles.diff}`}>Nothing is changed yet.</p>;
  if (!changes) return <p className={`hint ${styles.diff}`}>Comparing the ticks…</p>;
  const { summary, shown, isMore } = changes;
  return (
    <section className={styles.diff} aria-label="What changes">
      <p>{summary}</p>
      {shown.length > 0 && (
        <ul>
          {shown.map(({ kind, at, text }) => (
            <li key={`${kind} ${at}`} className={styles[kind]}>
              <span aria-hidden="true">{SIGNS[kind]}</span> <span className="unseen">{kind}</span> {text}
            </li>
          ))}
        </ul>
      )}
      {isMore && <p className="hint">and more</p>}
    </section>
  );
}
