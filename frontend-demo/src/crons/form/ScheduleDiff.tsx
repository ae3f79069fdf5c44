/** The runs that an edit adds, removes and moves, before it is saved. */
import type { PreviewEditQuery } from '../../generated';
import { formatExact } from '../../time/format';
import styles from './ScheduleDiff.module.css';

const SHOWN = 5;

type Preview = NonNullable<PreviewEditQuery['previewCronChange']>;
type Kind = 'added' | 'removed' | 'moved';

const SIGNS: Record<Kind, string> = { added: '+', removed: '−', moved: '→' };

function runsOf(preview: Preview): { key: string; kind: Kind; at: string; label: string }[] {
  const time = (at: string) => formatExact(Date.parse(at));
  return [
    ...preview.added.map(({ tick: at }) => ({ key: `added ${at}`, kind: 'added' as const, at, label: time(at) })),
    ...preview.removed.map(({ tick: at }) => ({ key: `removed ${at}`, kind: 'removed' as const, at, label: time(at) })),
    ...preview.moved.map(({ before, after }) => {
      const label = `${time(before.tick)} to ${time(after.tick)}`;
      return { key: `moved ${before.tick}`, kind: 'moved' as const, at: before.tick, label };
    }),
  ].sort((a, b) => a.at.localeCompare(b.at));
}

function summaryOf({ addedCount, removedCount, movedCount, unchangedCount, until }: Preview): string {
  const parts = [
    `${addedCount.toLocaleString()} added`,
    `${removedCount.toLocaleString()} removed`,
    `${movedCount.toLocaleString()} moved`,
    `${unchangedCount.toLocaleString()} unchanged`,
  ];
  return `Runs until ${formatExact(Date.parse(until))}: ${parts.join(', ')}`;
}

/** `isChanged` is false for an edit that changes nothing; `preview` is undefined until the runs have been compared. */
export function ScheduleDiff({ isChanged, preview }: { isChanged: boolean; preview: Preview | undefined }) {
  if (!isChanged) return <p className={`hint ${styles.diff}`}>Nothing is changed yet.</p>;
  if (!preview) return <p className={`hint ${styles.diff}`}>Comparing the runs…</p>;
  const runs = runsOf(preview);
  return (
    <section className={styles.diff} aria-label="What changes">
      <p>{summaryOf(preview)}</p>
      <ul>
        {runs.slice(0, SHOWN).map(({ key, kind, label }) => (
          <li key={key} className={styles[kind]}>
            <span aria-hidden="true">{SIGNS[kind]}</span> <span className="unseen">{kind}</span> {label}
          </li>
        ))}
      </ul>
      {(runs.length > SHOWN || preview.truncated) && <p className="hint">and more</p>}
    </section>
  );
}
