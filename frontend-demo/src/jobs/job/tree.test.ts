import { expect, test } from 'vitest';
import { arrangeTree } from './tree';
import type { TreeJobFragment } from '../../generated';

function job(id: string, parent: string | null, second: number): TreeJobFragment {
  const createdAt = new Date(second * 1_000).toISOString();
  const cause = { kind: parent ? ('JOB' as const) : ('API' as const), id: parent };
  return { id, version: 1, functionName: 'f', state: 'SUCCESS', createdAt, attempt: 1, progress: null, recordedFailure: null, cause };
}

function shown(jobs: TreeJobFragment[]): [string, number][] {
  return arrangeTree(jobs).map(({ job: { id }, depth }) => [id, depth]);
}

test('each job is below the job that scheduled it, the oldest first', () => {
  const jobs = [job('c', 'a', 3), job('d', 'b', 4), job('a', null, 1), job('b', 'a', 2)];
  expect(shown(jobs)).toEqual([
    ['a', 0],
    ['b', 1],
    ['d', 2],
    ['c', 1],
  ]);
});

test('a job whose parent is gone is at the top', () => {
  expect(shown([job('b', 'purged', 2), job('c', 'b', 3)])).toEqual([
    ['b', 0],
    ['c', 1],
  ]);
});
