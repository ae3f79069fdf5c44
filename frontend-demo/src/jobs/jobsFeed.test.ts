import { expect, test } from 'vitest';
import { NEWEST, newest, newestFirst, variablesOf } from './jobsFeed';
import type { Job } from './jobsFeed';

const NOW = Date.parse('2030-01-31T12:00:00.000Z');

function jobs(count: number, fields: Partial<Job> = {}): Job[] {
  const made = Array.from({ length: count }, (_, index) => {
    const createdAt = new Date(NOW + index).toISOString();
    return { id: `job-${index}`, createdAt, purgeAt: null, ...fields } as Job;
  });
  return made.sort(newestFirst);
}

test('one job more than is shown means that there are more', () => {
  expect(newest(jobs(NEWEST), NOW).more).toBe(false);
  const { jobs: shown, more } = newest(jobs(NEWEST + 1), NOW);
  expect([shown.length, more, shown[0]?.id]).toEqual([NEWEST, true, `job-${NEWEST}`]);
});

test('a job disappears when it is due to be purged', () => {
  const rows = jobs(1, { purgeAt: new Date(NOW).toISOString() });
  expect(newest(rows, NOW - 1).jobs).toHaveLength(1);
  expect(newest(rows, NOW).jobs).toHaveLength(0);
});

test('the server filters by the selected state', () => {
  expect(variablesOf('FAILED').filter).toEqual({ states: ['FAILED'] });
  expect(variablesOf(null).filter).toBeUndefined();
});
