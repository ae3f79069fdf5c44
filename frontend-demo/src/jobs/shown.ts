/** Which of the loaded jobs are shown: some wait while the page is paused or scrolled down. No I/O. */
import type { Job } from './jobsFeed';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const RANKS = new Map([...ALPHABET].map((letter, rank) => [letter.charCodeAt(0), rank]));

/**
 * Compare as the server sorts: by the id, which begins with the time of creation. Ids are sent in base64,
 * whose letters do not sort as their values do.
 */
export function newestFirst({ id: a }: Pick<Job, 'id'>, { id: b }: Pick<Job, 'id'>): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return (RANKS.get(right) ?? 0) - (RANKS.get(left) ?? 0);
  }
  return b.length - a.length;
}

/** Return how many jobs come before the place of a job. */
export function countBefore(jobs: readonly Job[], job: Pick<Job, 'id'>): number {
  let [low, high] = [0, jobs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (newestFirst(jobs[middle]!, job) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the jobs of a paused list, and those of the current one that are older. */
export function withOlder(paused: readonly Job[], current: readonly Job[]): readonly Job[] {
  const last = paused.at(-1);
  if (!last) return paused;
  const older = current.slice(countBefore(current, last)).filter(({ id }) => id !== last.id);
  return older.length > 0 ? [...paused, ...older] : paused;
}

const argsTexts = new WeakMap<Job, string>();

function withoutSpaces(text: string): string {
  return text.toLowerCase().replace(/\s+/g, '');
}

function argsText(job: Job): string {
  const text = argsTexts.get(job) ?? withoutSpaces(JSON.stringify(job.args));
  argsTexts.set(job, text);
  return text;
}

/** Return the jobs whose arguments, as JSON, contain a text in upper or lower case; spaces do not matter. */
export function withArgs(jobs: readonly Job[], text: string): readonly Job[] {
  const wanted = withoutSpaces(text);
  return wanted === '' ? jobs : jobs.filter((job) => argsText(job).includes(wanted));
}
