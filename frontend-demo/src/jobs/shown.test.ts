import { expect, test } from 'vitest';
import type { Job } from './jobsFeed';
import { countBefore, newestFirst, withArgs, withOlder } from './shown';

/** A job with an id as the server's, which begins with the milliseconds of its creation. */
function job(ms: number, fields: Partial<Job> = {}): Job {
  const hex = ms.toString(16).padStart(12, '0').padEnd(24, '0');
  const id = btoa(`Job:${hex}`).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_');
  return { id, version: 1, args: {}, ...fields } as Job;
}

const now = 1_893_456_000_000;
const times = Array.from({ length: 2_000 }, (_, index) => now + index * 7 + (index % 3));

test('jobs are in the order of their creation, newest first', () => {
  const shuffled = times.map((ms) => job(ms, { version: ms })).sort((a, b) => (a.id < b.id ? -1 : 1));
  expect(shuffled.sort(newestFirst).map(({ version }) => version)).toEqual([...times].reverse());
  expect(newestFirst(job(now), job(now))).toBe(0);
});

test('the jobs that are newer than the first one on the page are counted', () => {
  const jobs = times.map((ms) => job(ms)).sort(newestFirst);
  expect(countBefore(jobs, jobs[0]!)).toBe(0);
  expect(countBefore(jobs, jobs[700]!)).toBe(700);
  expect(countBefore(jobs, job(now - 1))).toBe(jobs.length);
});

test('a paused list stands still, and gets older jobs at its end', () => {
  const [newest, first, last, older] = [job(now + 9), job(now + 2), job(now + 1), job(now)];
  const paused = [first, last];
  expect(withOlder(paused, [newest, job(now + 1, { version: 2 })])).toBe(paused);
  expect(withOlder(paused, [newest, last, older])).toEqual([first, last, older]);
  expect(withOlder([], [newest])).toEqual([]);
});

test('arguments are found by a part of their JSON, in upper or lower case', () => {
  const jobs = [job(1, { args: { to: 'Ada L' } }), job(2, { args: { to: 'bob' } })];
  expect(withArgs(jobs, '"TO": "ada')).toEqual([jobs[0]]);
  expect(withArgs(jobs, 'da l')).toEqual([jobs[0]]);
  expect(withArgs(jobs, ' ')).toBe(jobs);
});
