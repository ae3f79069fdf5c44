import { expect, test } from 'vitest';
import { fromLocal, toLocal } from './local';

test.each(['2030-01-31T12:00:05.000Z', '2030-07-01T23:59:59.000Z'])('%s is the same after a form', (instant) => {
  expect(toLocal(instant)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  expect(fromLocal(toLocal(instant))).toBe(instant);
});

test('a field that is not filled in has no instant', () => {
  expect([toLocal(''), fromLocal('')]).toEqual(['', '']);
});
