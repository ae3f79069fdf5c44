/** The periods of a job's life, from its timeline: waiting, each attempt, the delay before a retry; and their places. */
import type { JobDetailsFragment, JobState } from '../../generated';
import { errorText } from '../errorText';

export type JobDetails = JobDetailsFragment;

export type Span = {
  kind: 'scheduled' | 'waiting' | 'attempt' | 'backoff' | 'ended';
  /** Milliseconds since 1970; `end` is null for the period that has not ended. */
  start: number;
  end: number | null;
  attempt: number;
  /** How the attempt ended; null for other periods, and while it runs. */
  outcome: JobState | null;
  /** Who ended this period with a manual retry, if that is known. */
  by: string | null;
  error: string | null;
};

/**
 * Return the periods in their order. A pending period is split at the due time: until then the job is
 * scheduled (or backs off, after a failed attempt), from then on it waits for a worker. Before a manual retry, it had ended.
 */
export function spansOf({ timeline }: Pick<JobDetails, 'timeline'>): Span[] {
  const spans: Span[] = [];
  timeline.forEach((event, index) => {
    const next = timeline[index + 1];
    const start = Date.parse(event.at);
    const end = next ? Date.parse(next.at) : null;
    const { attempt } = event;
    if (event.state === 'IN_PROGRESS') {
      const error = next?.error ? errorText(next.error) : null;
      spans.push({ kind: 'attempt', start, end, attempt, outcome: next?.state ?? null, by: null, error });
    }
    if (event.state !== 'PENDING') return;
    const before = timeline[index - 1];
    const none = { attempt, outcome: null, by: null, error: null };
    if (before && (event.from === 'FAILED' || event.from === 'CANCELED')) {
      spans.push({ kind: 'ended', start: Date.parse(before.at), end: start, ...none, outcome: event.from, by: event.by });
    }
    const due = event.nextRunAt ? Date.parse(event.nextRunAt) : start;
    const split = Math.min(Math.max(due, start), end ?? Infinity);
    const kind = event.from === 'IN_PROGRESS' ? 'backoff' : 'scheduled';
    if (split > start) spans.push({ kind, start, end: split, ...none });
    if (end === null || end > split) spans.push({ kind: 'waiting', start: split, end, ...none });
  });
  return spans;
}

/** The narrowest bar, as a share of the whole. */
const MIN_SHARE = 0.04;
/** What all narrowest bars together may take, however many there are. */
const MAX_NARROW = 0.6;

/** Where a bar begins and how wide it is, as shares of the whole. */
export type Place = { left: number; width: number };

/**
 * Return the places of periods that follow each other. They are to scale, except that long periods give up room, so that
 * short ones can be seen.
 */
export function placesOf(durations: readonly number[]): Place[] {
  const narrowest = Math.min(MIN_SHARE, MAX_NARROW / Math.max(durations.length, 1));
  const total = durations.reduce((sum, each) => sum + each, 0) || 1;
  const widened = durations.map((each) => Math.max(each / total, narrowest));
  const whole = widened.reduce((sum, each) => sum + each, 0) || 1;
  let left = 0;
  return widened.map((each) => {
    const place = { left, width: each / whole };
    left += place.width;
    return place;
  });
}
