/** A job's life, roughly to scale: how long it was scheduled, waited, ran, backed off, and had ended before a manual retry. */
import { formatDuration, formatExact } from '../../time/format';
import { useNow } from '../../time/now';
import { STATE_NAMES } from '../states';
import { placesOf, spansOf } from './spans';
import type { JobDetails, Span } from './spans';
import { errorText } from '../errorText';
import styles from './Timeline.module.css';

function nameOf(span: Span): string {
  if (span.kind === 'scheduled') return 'Scheduled';
  if (span.kind === 'waiting') return 'Waiting for a worker';
  if (span.kind === 'backoff') return 'Delay before the retry';
  if (span.kind === 'ended') return `${STATE_NAMES[span.outcome!]}, until retried ${span.by ? `by ${span.by}` : 'by hand'}`;
  const outcome = span.outcome === 'PENDING' ? 'failed' : span.outcome && STATE_NAMES[span.outcome].toLowerCase();
  return `Attempt ${span.attempt}${outcome ? `: ${outcome}` : ''}`;
}

function toneOf({ kind, outcome }: Span): string {
  if (kind !== 'attempt') return styles[kind]!;
  if (outcome === 'SUCCESS') return styles.success!;
  if (outcome === 'FAILED' || outcome === 'PENDING') return styles.failed!;
  return outcome === null ? styles.running! : styles.canceled!;
}

export function Timeline({ job }: { job: JobDetails }) {
  const now = useNow();
  const spans = spansOf(job).map((span) => ({ ...span, stop: span.end ?? Math.max(now, span.start) }));
  const ended = spans.findLastIndex(({ kind }) => kind === 'attempt');
  const isElsewhere = (error: string, index: number) => index === ended && job.error !== null && error === errorText(job.error);
  const places = placesOf(spans.map(({ start, stop }) => stop - start));
  return (
    <ol className={styles.timeline}>
      {spans.map((span, index) => {
        const { left, width } = places[index]!;
        return (
          <li key={`${span.kind} ${span.start}`} title={`from ${formatExact(span.start)}`}>
            <span className={styles.name}>{nameOf(span)}</span>
            <span className={styles.track} aria-hidden="true">
              <span
                className={`${styles.bar} ${toneOf(span)}`}
                style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
              />
            </span>
            <span className={styles.duration}>{formatDuration(span.stop - span.start)}</span>
            {span.error && !isElsewhere(span.error, index) && <span className={styles.error}>{span.error}</span>}
          </li>
        );
      })}
    </ol>
  );
}
