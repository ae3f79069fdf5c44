import { expect, test } from 'vitest';
import { NO_FILTER, activeFilters, jobsPath, readFilter, serverFilter, writeFilter } from './filter';

const WHOLE = {
  ...NO_FILTER,
  state: 'FAILED',
  function: 'reports.send',
  queue: 'mail',
  owner: 'ann',
  tag: 'a b',
  cause: 'CRON',
  key: 'k&1',
  from: '2030-01-31T12:00:00.000Z',
  to: '2030-02-01T00:00:00.000Z',
  args: '"to": "ada"',
} as const;

test('a filter is in the address completely, and without empty values', () => {
  expect(readFilter(writeFilter(WHOLE))).toEqual(WHOLE);
  expect(writeFilter(NO_FILTER).toString()).toBe('');
  expect(writeFilter({ ...NO_FILTER, state: 'FAILED' }).toString()).toBe('state=FAILED');
});

test('what an address contains beyond the filter is ignored, and so are values of another form', () => {
  const address = new URLSearchParams('state=BROKEN&cause=x&from=soon&to=&queue=%20mail%20&page=2');
  expect(readFilter(address)).toEqual({ ...NO_FILTER, queue: 'mail' });
});

test('the server filters by everything except the arguments', () => {
  expect(serverFilter(WHOLE)).toEqual({
    states: ['FAILED'],
    functionName: 'reports.send',
    queue: 'mail',
    owner: 'ann',
    tags: ['a', 'b'],
    cause: 'CRON',
    key: 'k&1',
    createdFrom: '2030-01-31T12:00:00.000Z',
    createdTo: '2030-02-01T00:00:00.000Z',
  });
  expect(serverFilter({ ...NO_FILTER, args: 'x' })).toBeUndefined();
});

test('the jobs of a tree include internal ones', () => {
  expect(serverFilter({ ...NO_FILTER, root: 'id' })).toEqual({ rootId: 'id', internal: null });
});

test('the state is not among the values that the page lists', () => {
  expect(activeFilters({ ...NO_FILTER, state: 'FAILED', queue: 'mail', args: 'x' })).toEqual([
    { name: 'queue', label: 'queue', value: 'mail' },
    { name: 'args', label: 'arguments', value: 'x' },
  ]);
});

test('the address of the jobs that match a filter has only what is set', () => {
  expect(jobsPath({ function: 'reports.send', owner: '', state: 'FAILED' })).toBe('/jobs?state=FAILED&function=reports.send');
});
