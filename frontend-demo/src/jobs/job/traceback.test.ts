import { expect, test } from 'vitest';
import { splitTraceback } from './traceback';

const CALLS = 'Traceback (most recent call last):\n  File "reports.py", line 7, in send\n';

test.each([
  ['RuntimeError: full', `${CALLS}RuntimeError: full\n`, CALLS, 'RuntimeError: full'],
  ['of a module', `${CALLS}reports.errors.RuntimeError: full`, CALLS, 'reports.errors.RuntimeError: full'],
  ['truncated', `${CALLS}RuntimeError: fu…`, `${CALLS}RuntimeError: fu…\n`, 'RuntimeError: full'],
  ['none', null, '', 'RuntimeError: full'],
])('a traceback that ends with the error contains it once: %s', (_, traceback, calls, end) => {
  expect(splitTraceback({ name: 'RuntimeError', message: 'full', traceback })).toEqual({ calls, end });
});

test('a message of several lines is not split', () => {
  const error = { name: 'ValueError', message: 'one\ntwo', traceback: `${CALLS}ValueError: one\ntwo` };
  expect(splitTraceback(error)).toEqual({ calls: CALLS, end: 'ValueError: one\ntwo' });
});

test('an error without a message has only its name', () => {
  expect(splitTraceback({ name: 'KeyError', message: '', traceback: null }).end).toBe('KeyError');
});
