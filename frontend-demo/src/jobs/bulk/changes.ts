/** What can be done to all jobs that match a filter. No I/O. */
import type { JobFilter, JobState } from '../../generated';
import { counted } from '../../ui/counted';
import type { JobCounts } from '../counts';
import { serverFilter } from '../filter';
import type { JobsFilter } from '../filter';

export type BulkKind = 'CANCEL_JOBS' | 'RETRY_JOBS';

/** The states of the jobs that are changed. */
export const CHANGED_STATES: Record<BulkKind, readonly JobState[]> = {
  CANCEL_JOBS: ['PENDING', 'IN_PROGRESS'],
  RETRY_JOBS: ['FAILED', 'CANCELED'],
};

const NONE: Record<BulkKind, string> = {
  CANCEL_JOBS: 'None of these jobs are pending or running.',
  RETRY_JOBS: 'None of these jobs have failed or are canceled.',
};

export const NAMES: Record<BulkKind, { verb: string; states: string }> = {
  CANCEL_JOBS: { verb: 'Cancel', states: 'pending and running' },
  RETRY_JOBS: { verb: 'Retry', states: 'failed and canceled' },
};

export type PossibleJobsOffer = {
  possible: true;
  filter: JobFilter;
  /** How many jobs match now; null if they were not counted. */
  count: number | null;
  isExact: boolean;
};

export type JobsOffer = { possible: false; reason: string } | PossibleJobsOffer;

export function jobsText({ count, isExact }: PossibleJobsOffer): string {
  if (count === null) return 'all matching jobs';
  return isExact ? counted(count, 'job') : `${count.toLocaleString()} or more jobs`;
}

/** Return what would be changed, or why nothing can be. */
export function offerOf(kind: BulkKind, filter: JobsFilter, counts: JobCounts, isAdmin: boolean): JobsOffer {
  if (filter.args !== '') return { possible: false, reason: 'The server cannot search arguments: remove that filter.' };
  if (isAdmin && filter.owner === '') {
    return { possible: false, reason: 'To change all jobs of a user at once, filter by owner.' };
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
