/** Arranges the jobs of a tree by what scheduled them. */
import type { TreeJobFragment } from '../../generated';

export type TreeRow = { job: TreeJobFragment; depth: number };

/**
 * Return the jobs in the order in which they are shown: each below the job that scheduled it, the oldest
 * first. A job whose parent is unknown, such as one that has been purged, is at the top.
 */
export function arrangeTree(jobs: readonly TreeJobFragment[]): TreeRow[] {
  const known = new Set(jobs.map(({ id }) => id));
  const children = new Map<string | null, TreeJobFragment[]>();
  for (const job of jobs) {
    const parent = job.cause.id !== null && known.has(job.cause.id) ? job.cause.id : null;
    children.set(parent, [...(children.get(parent) ?? []), job]);
  }
  const below = (parent: string | null, depth: number): TreeRow[] =>
    (children.get(parent) ?? [])
      .sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id))
      .flatMap((job) => [{ job, depth }, ...below(job.id, depth + 1)]);
  return below(null, 0);
}
