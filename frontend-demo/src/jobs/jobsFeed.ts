/** The newest jobs, live, in all states or in one. */
import { useLiveQuery } from 'ostinato-client/urql';
import type { LiveView } from 'ostinato-client/urql';
import { JobsChangedDocument } from '../generated';
import type { JobRowFragment, JobsChangedSubscriptionVariables, JobState } from '../generated';

export type Job = JobRowFragment;

export const NEWEST = 100;
/** One more than is shown, to know whether there are more. */
const LIMIT = NEWEST + 1;

export function newestFirst(a: Job, b: Job): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id);
}

/** The server filters by state, so older jobs are found however many newer ones there are. */
export function variablesOf(state: JobState | null): JobsChangedSubscriptionVariables {
  return { first: LIMIT, ...(state && { filter: { states: [state] } }) };
}

export function useJobs(state: JobState | null): LiveView<Job> {
  return useLiveQuery(JobsChangedDocument, variablesOf(state), { limit: LIMIT, order: newestFirst });
}

export type Newest = { jobs: Job[]; more: boolean };

/** Purges send no event: a job disappears from the page at its `purgeAt`. */
function isKept({ purgeAt }: Job, now: number): boolean {
  return purgeAt === null || Date.parse(purgeAt) > now;
}

/** Return the jobs to show, and whether the server has more than these. */
export function newest(rows: readonly Job[], now: number): Newest {
  const kept = rows.filter((job) => isKept(job, now));
  return { jobs: kept.slice(0, NEWEST), more: kept.length > NEWEST };
}
