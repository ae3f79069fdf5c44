import { expect, test } from 'vitest';
import { choiceOf, noRetryReason, offerOfAll, offerOfGroup } from './changes';
import { NO_FILTER } from './filter';
import type { Group } from './useFailureGroups';

function group(count: number, retryableCount: number): Group {
  return { functionName: 'mail.send', fingerprint: 'f', owner: 'ann', count, retryableCount } as Group;
}

function choice(change: 'Retry' | 'Resolve', count: number, retryable: number) {
  const offer = offerOfGroup(group(count, retryable), NO_FILTER);
  return offer.possible ? choiceOf(change, offer, 'mail.send') : undefined;
}

test('failures without a job can be resolved, and are not offered to be retried', () => {
  expect(choice('Retry', 2, 0)).toBeNull();
  expect(choice('Resolve', 2, 0)).toMatchObject({ label: 'Resolve', title: 'Resolve 2 failures of mail.send?' });
});

test('of a group with some jobs, only these are retried, and the question says why', () => {
  const retry = choice('Retry', 5, 3);
  expect(retry).toMatchObject({ label: 'Retry 3 of 5', title: 'Retry 3 of 5 failures of mail.send?' });
  expect(retry?.description).toMatch(/^A function recorded the others itself/);
});

test.each([
  [1, 0, 'Recorded by a function: no job failed, so there is nothing to retry.'],
  [6, 4, '2 of 6 were recorded by a function, so they have no failed job to retry.'],
  [6, 5, '1 of 6 was recorded by a function, so it has no failed job to retry.'],
  [6, 6, null],
  [null, null, null],
])('of %s failures, %s can be retried: %s', (count, retryable, reason) => {
  expect(noRetryReason({ count, retryable })).toBe(reason);
});

test('one failure is named in the singular', () => {
  expect(choice('Retry', 1, 1)).toEqual({
    label: 'Retry',
    title: 'Retry 1 failure of mail.send?',
    description: 'Later failures are not changed. It runs in the background, and can be stopped.',
    confirm: 'Retry it',
  });
});

test('a group is changed within the filter of the page', () => {
  const from = '2030-01-31T12:00:00.000Z';
  const filter = { functionName: 'mail.send', fingerprint: 'f', owner: 'ann', failedFrom: from };
  expect(offerOfGroup(group(1, 1), { ...NO_FILTER, from })).toMatchObject({ possible: true, filter });
});

test('failures of the system, and those older than groups, are changed one by one', () => {
  expect(offerOfGroup({ ...group(1, 1), owner: null }, NO_FILTER)).toMatchObject({ possible: false });
  expect(offerOfGroup({ ...group(1, 1), fingerprint: null }, NO_FILTER)).toMatchObject({ possible: false });
});

test('all that match are counted if all groups are loaded', () => {
  const all = offerOfAll(NO_FILTER, false, [group(2, 1), group(3, 0)]);
  expect(all.possible && choiceOf('Retry', all, '')?.title).toBe('Retry 1 of 5 matching failures?');
  const some = offerOfAll(NO_FILTER, false, null);
  expect(some.possible && choiceOf('Retry', some, '')?.title).toBe('Retry all matching failures?');
});

test('an admin changes the failures of one user', () => {
  expect(offerOfAll(NO_FILTER, true, []).possible).toBe(false);
  expect(offerOfAll({ ...NO_FILTER, owner: 'ann' }, true, [])).toMatchObject({ possible: true, filter: { owner: 'ann' } });
});
