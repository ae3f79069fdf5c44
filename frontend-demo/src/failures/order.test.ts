import { expect, test } from 'vitest';
import { arrange, withNew } from './order';

const groups = (ids: string) => [...ids].map((id) => ({ id }));
const shown = (known: string, ids: string) =>
  arrange(withNew([...known], groups(ids)), groups(ids))
    .map(({ id }) => id)
    .join('');

test.each([
  ['', 'abc', 'abc', 'the first groups are in the order of the server'],
  ['abc', 'cab', 'abc', 'newer failures of known groups move nothing'],
  ['abc', 'dcba', 'dabc', 'a new group comes in above'],
  ['abc', 'edba', 'edab', 'several new groups keep the order of the server'],
  ['abc', 'cdba', 'dabc', 'a new group comes in above, also if a known one has a newer failure'],
  ['abc', 'bcd', 'bcd', 'a group of the next page comes in below'],
  ['abc', 'ebcd', 'ebcd', 'a new group and one of the next page come in at both ends'],
  ['abc', 'ed', 'ed', 'groups are in the order of the server if no known one is left'],
  ['abc', 'ca', 'ac', 'a group that is gone leaves no gap'],
  ['abc', 'bac', 'abc', 'a group that comes back has its place again'],
])('known %s, read %s: shown %s: %s', (known, ids, wanted) => {
  expect(shown(known, ids)).toBe(wanted);
});

test('the known ids are the same array while no group is new', () => {
  const known = ['a', 'b'];
  expect(withNew(known, groups('b'))).toBe(known);
});
