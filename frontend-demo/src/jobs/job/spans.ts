/** The periods of a job's life, from its timeline: waiting, each attempt, the delay before a retry. */
import type { JobDetailsFragment, JobState } from '../../generated';

export type JobDetails = JobDetailsFragment;

export type Span = {
  kind: 'scheduled' | 'waiting' | 'attempt' | 'backoff';
  /** Milliseconds since 1970; `end` is null for the period that has not ended. */
  start: number;
  end: number | null;
  attempt: number;
  /** How the attempt ended; null for other periods, and while it runs. */
  outcome: JobState | null;
  error: string | null;
};

/**
 * Return the periods in their order. A pending period is split at the due time: until then the job is
 * scheduled (or backs off, after a failure), from then on it waits for a worker.
 */
export function spansOf({ timeline }: Pick<JobDetails, 'timeline'>): Span[] {
  const spans: Span[] = [];
  timeline.forEach((event, index) => {
    const next = timeline[index + 1];
    const start = Date.parse(event.at);
    const end = next ? Date.parse(next.at) : null;
    const { attempt } = event;
    if (event.state === 'IN_PROGRESS') {
      const { name, message } = next?.error ?? {};
      const error = name === undefined ? null : `${name}: ${message}`;
      spans.push({ kind: 'attempt', start, end, attempt, outcome: next?.state ?? null, error });
    }
    if (event.state !== 'PENDING') return;
    const due = event.nextRunAt ? Date.parse(event.nextRunAt) : start;
    const split = Math.min(Math.max(due, start), end ?? Infinity);
    const none = { attempt, outcome: null, error: null };
    if (split > start) spans.push({ kind: event.from ? 'backoff' : 'scheduled', start, end: split, ...none });
    if (end === null || end > split) spans.push({ kind: 'waiting', start: split, end, ...none });
  });
  return spans;
}
