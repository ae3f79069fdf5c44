import { expect, test } from 'vitest';
import { NO_FILTER, activeFilters, readFilter, serverFilter, writeFilter } from './filter';

const WHOLE = {
  state: 'RESOLVED',
  function: 'reports.send',
  fingerprint: 'a'.repeat(24),
  owner: 'ann',
  from: '2030-01-31T12:00:00.000Z',
  to: '2030-02-01T00:00:00.000Z',
};

test('a filter is in the address completely, and without empty values', () => {
  expect(readFilter(writeFilter(WHOLE))).toEqual(WHOLE);
  expect(writeFilter(NO_FILTER).toString()).toBe('');
});

test('values of another form are ignored', () => {
  expect(readFilter(new URLSearchParams('fingerprint=xyz&from=soon&state=OPEN'))).toEqual(NO_FILTER);
});

test('the server filters by everything', () => {
  expect(serverFilter(WHOLE)).toEqual({
    states: ['RESOLVED'],
    functionName: 'reports.send',
    fingerprint: 'a'.repeat(24),
    owner: 'ann',
    failedFrom: '2030-01-31T12:00:00.000Z',
    failedTo: '2030-02-01T00:00:00.000Z',
  });
});

test('active filters have words of their own, and the state is none of them', () => {
  expect(activeFilters({ ...NO_FILTER, state: 'RESOLVED', owner: 'ann' })).toEqual([
    { name: 'owner', label: 'owner', value: 'ann' },
  ]);
});

test('a fingerprint is written as the error that has it', () => {
  const group = { fingerprint: 'b'.repeat(24), errorName: 'ConnectionError', message: 'refused' };
  const valueWith = (groups?: (typeof group)[]) =>
    activeFilters({ ...NO_FILTER, fingerprint: 'b'.repeat(24) }, groups)[0]?.value;
  expect(valueWith([group])).toBe('ConnectionError: refused');
  expect(valueWith([])).toBe('an error that is not in this list');
  expect(valueWith()).toBe('one error');
});
