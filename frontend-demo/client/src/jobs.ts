/** What the hooks `useLiveJobs` share: the newest jobs, newest first. */
import type { LiveData, Versioned } from './message.js';

type DatedJob = Versioned & { createdAt: string };

/** A subscription to `jobsChanged` that selects what the jobs are sorted by. */
export type LiveJobsData = LiveData & { jobsChanged?: { job?: DatedJob | null } | null };

export const NEWEST_JOBS = 100;
const MAX_FIRST = 1_000;

/**
 * Return the variables for a list of at most `limit` jobs: one more job shows that there are more.
 */
export function firstOf(limit: number): { first: number } {
  return { first: Math.min(limit + 1, MAX_FIRST) };
}

export function newestFirst(a: unknown, b: unknown): number {
  const [first, second] = [(a as DatedJob).createdAt, (b as DatedJob).createdAt];
  return first === second ? 0 : first > second ? -1 : 1;
}
