import { expect, test } from 'vitest';
import { MAX_SELECTED, NONE, toggle } from './selection';
import type { Selection } from './selection';

const ORDER = ['a', 'b', 'c', 'd', 'e'];

function idsOf({ ids }: Selection): string[] {
  return [...ids].sort();
}

test('a job is selected and deselected', () => {
  const one = toggle(NONE, ORDER, 'b', false);
  expect(idsOf(one)).toEqual(['b']);
  expect(idsOf(toggle(one, ORDER, 'b', false))).toEqual([]);
});

test('a range goes from the last job to this one, in both directions', () => {
  const one = toggle(NONE, ORDER, 'd', false);
  expect(idsOf(toggle(one, ORDER, 'b', true))).toEqual(['b', 'c', 'd']);
  expect(idsOf(toggle(one, ORDER, 'e', true))).toEqual(['d', 'e']);
});

test('a range is deselected if its end was selected', () => {
  const all = toggle(toggle(NONE, ORDER, 'a', false), ORDER, 'e', true);
  expect(idsOf(toggle(toggle(all, ORDER, 'b', false), ORDER, 'd', true))).toEqual(['a', 'e']);
});

test('without a known start, a range is one job', () => {
  expect(idsOf(toggle(NONE, ORDER, 'c', true))).toEqual(['c']);
  expect(idsOf(toggle({ ids: new Set(), last: 'gone' }, ORDER, 'c', true))).toEqual(['c']);
});

test('no more jobs are selected than a bulk action can name', () => {
  const many = Array.from({ length: 150 }, (_, index) => `job ${index}`);
  const first = toggle(NONE, many, 'job 0', false);
  expect(toggle(first, many, 'job 149', true).ids.size).toBe(MAX_SELECTED);
});
