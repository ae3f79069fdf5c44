/** The feeds of the newest jobs, in all states or in one. */
import { JobsChangedDocument } from '../generated';
import type { JobRowFragment, JobsChangedSubscription, JobState } from '../generated';
import type { Source } from '../live/feed';

export type Job = JobRowFragment;

export const NEWEST = 100;
/** One more than is shown, to know whether there are more. */
const LIMIT = NEWEST + 1;

export function newestFirst(a: Job, b: Job): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id);
}

/** The server filters by state, so older jobs are found however many newer ones there are. */
export function jobsFeed(state?: JobState): Source<JobsChangedSubscription, Job> {
  return {
    document: JobsChangedDocument,
    variables: { first: LIMIT, filter: state && { states: [state] } },
    window: { limit: LIMIT, order: newestFirst },
    change: ({ jobsChanged }) =>
      jobsChanged && { ...jobsChanged, id: jobsChanged.jobId, entity: jobsChanged.job },
  };
}

export type Newest = { jobs: Job[]; more: boolean };

/** Purges send no event: a job disappears from the page at its `purgeAt`. */
function isKept({ purgeAt }: Job, now: number): boolean {
  return purgeAt === null || Date.parse(purgeAt) > now;
}

/** The jobs to show, newest first, and whether the server has more than these. */
export function newest(rows: ReadonlyMap<string, Job>, now: number): Newest {
  const kept = [...rows.values()].filter((job) => isKept(job, now)).sort(newestFirst);
  return { jobs: kept.slice(0, NEWEST), more: kept.length > NEWEST };
}
