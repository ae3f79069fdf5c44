/** How many jobs match a filter in each state, and in all of them. No I/O. */
import type { JobCountsQuery, JobCountsQueryVariables, JobFilter, JobState, TotalFragment } from '../generated';
import { JOB_STATES } from './states';

export type JobCounts = Partial<Record<JobState, TotalFragment>>;

/** The states do not filter: each is counted for itself. */
export function countVariables(filter: JobFilter | undefined): JobCountsQueryVariables {
  const { states: _, ...rest } = filter ?? {};
  const inState = (state: JobState): JobFilter => ({ ...rest, states: [state] });
  return {
    pending: inState('PENDING'),
    inProgress: inState('IN_PROGRESS'),
    succeeded: inState('SUCCESS'),
    failed: inState('FAILED'),
    canceled: inState('CANCELED'),
  };
}

/** Return the counts that the server could tell. */
export function countsOf(data: JobCountsQuery): JobCounts {
  const known = JOB_STATES.flatMap((state) => {
    const total = data[state]?.totalCount;
    return total ? [[state, total] as const] : [];
  });
  return Object.fromEntries(known);
}

export function countText({ count, isExact }: TotalFragment): string {
  return `${count.toLocaleString()}${isExact ? '' : '+'}`;
}

/** Return the number of jobs in a state, or in all states; null unless it is known. */
export function totalOf(counts: JobCounts, state: JobState | ''): TotalFragment | null {
  if (state !== '') return counts[state] ?? null;
  const all = JOB_STATES.map((each) => counts[each]);
  if (!all.every((each) => each !== undefined)) return null;
  const count = all.reduce((sum, each) => sum + each.count, 0);
  return { count, isExact: all.every(({ isExact }) => isExact) };
}
