/** The feed of the newest jobs. */
import { JobsChangedDocument } from '../generated';
import type { JobRowFragment, JobsChangedSubscription } from '../generated';
import type { Source } from '../live/feed';

export type Job = JobRowFragment;

export const NEWEST = 100;

export function newestFirst(a: Job, b: Job): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id);
}

export const jobsFeed: Source<JobsChangedSubscription, Job> = {
  document: JobsChangedDocument,
  variables: { first: NEWEST },
  window: { limit: NEWEST, order: newestFirst },
  change: ({ jobsChanged }) =>
    jobsChanged && { ...jobsChanged, id: jobsChanged.jobId, entity: jobsChanged.job },
};
