import { expect, test } from 'vitest';
import { filtersOf } from './actions';

test('the jobs of each owner have a bulk action of their own, and those of the system none', () => {
  const jobs = [
    { id: '1', owner: 'ann' },
    { id: '2', owner: 'bob' },
    { id: '3', owner: 'ann' },
    { id: '4', owner: null },
  ];
  expect(filtersOf(jobs)).toEqual([
    { owner: 'ann', ids: ['1', '3'] },
    { owner: 'bob', ids: ['2'] },
  ]);
});
