/** What can be done to all jobs that match a filter, and what became of it. No I/O. */
import type { BulkOutcome, BulkProgressFragment, JobFilter, JobState } from '../../generated';
import type { JobCounts } from '../counts';
import { serverFilter } from '../filter';
import type { JobsFilter } from '../filter';

export type BulkKind = 'CANCEL_JOBS' | 'RETRY_JOBS';

/** The states of the jobs that are changed. */
export const CHANGED_STATES: Record<BulkKind, readonly JobState[]> = {
  CANCEL_JOBS: ['PENDING', 'IN_PROGRESS'],
  RETRY_JOBS: ['FAILED', 'CANCELED'],
};

const CHANGED: readonly BulkOutcome[] = ['CANCELED', 'CANCEL_REQUESTED', 'RETRIED', 'RESCHEDULED', 'RESOLVED'];

const NONE: Record<BulkKind, string> = {
  CANCEL_JOBS: 'None of these jobs are pending or running.',
  RETRY_JOBS: 'None of these jobs have failed or are canceled.',
};

export const NAMES: Record<BulkKind, { verb: string; states: string }> = {
  CANCEL_JOBS: { verb: 'Cancel', states: 'pending and running' },
  RETRY_JOBS: { verb: 'Retry', states: 'failed and canceled' },
};

export type PossibleOffer = {
  possible: true;
  filter: JobFilter;
  /** How many jobs match now; null if they were not counted. */
  count: number | null;
  isExact: boolean;
};

export type Offer = { possible: false; reason: string } | PossibleOffer;

export function countText({ count, isExact }: PossibleOffer): string {
  if (count === null) return 'all matching jobs';
  return `${count.toLocaleString()}${isExact ? '' : ' or more'} ${count === 1 ? 'job' : 'jobs'}`;
}

/** Return what would be changed, or why nothing can be. */
export function offerOf(kind: BulkKind, filter: JobsFilter, counts: JobCounts, isAdmin: boolean): Offer {
  if (filter.args !== '') return { possible: false, reason: 'The server cannot search arguments: remove that filter.' };
  if (isAdmin && filter.owner === '') {
    return { possible: false, reason: 'Filter by owner first: it changes the jobs of one user.' };
  }
  const states = CHANGED_STATES[kind].filter((state) => filter.state === '' || filter.state === state);
  if (states.length === 0) return { possible: false, reason: NONE[kind] };
  const totals = states.map((state) => counts[state]);
  if (totals.every((total) => total?.count === 0)) return { possible: false, reason: NONE[kind] };
  const { internal: _, ...rest } = serverFilter(filter) ?? {};
  const isKnown = totals.every((total) => total !== undefined);
  return {
    possible: true,
    filter: { ...rest, states: [...states] },
    count: isKnown ? totals.reduce((sum, total) => sum + total.count, 0) : null,
    isExact: isKnown && totals.every((total) => total.isExact),
  };
}

export type Progress = Pick<BulkProgressFragment, 'kind' | 'state' | 'processed' | 'total' | 'outcomes'>;

const VERBS: Record<Progress['kind'], { running: string; done: string }> = {
  CANCEL_JOBS: { running: 'Canceling jobs', done: 'canceled' },
  RETRY_JOBS: { running: 'Retrying jobs', done: 'retried' },
  RESCHEDULE_JOBS: { running: 'Rescheduling jobs', done: 'rescheduled' },
  RESOLVE_FAILURES: { running: 'Resolving failures', done: 'resolved' },
  RETRY_FAILURES: { running: 'Retrying failed jobs', done: 'retried' },
};

/** Return how many jobs were changed, and how many could not be. */
export function changedAndNot({ outcomes }: Pick<Progress, 'outcomes'>): [changed: number, not: number] {
  const sum = (wanted: boolean): number =>
    outcomes.reduce((total, { outcome, count }) => total + (CHANGED.includes(outcome) === wanted ? count : 0), 0);
  return [sum(true), sum(false)];
}

/** Describe a bulk action in a line. */
export function describe(action: Progress): string {
  const { running, done } = VERBS[action.kind];
  const [changed, not] = changedAndNot(action);
  if (action.state === 'RUNNING') {
    const of = action.total === null ? '' : ` of ${action.total.toLocaleString()}`;
    return `${running}: ${action.processed.toLocaleString()}${of}`;
  }
  const ends = { DONE: '', CANCELED: 'Stopped. ', FAILED: 'It failed. ' }[action.state];
  const unchanged = not > 0 ? `, ${not.toLocaleString()} could not be` : '';
  return `${ends}${changed.toLocaleString()} ${done}${unchanged}.`;
}
