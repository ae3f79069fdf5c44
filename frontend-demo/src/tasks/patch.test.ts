import { expect, test } from 'vitest';
import { isIssue } from '../form/read';
import { patchOf, readTask } from './patch';

function form(intervalMs: string, args: string): FormData {
  const data = new FormData();
  data.set('intervalMs', intervalMs);
  data.set('args', args);
  return data;
}

const SHOWN = { intervalMs: 120_000, args: { name: 'report' } };

test.each([
  ['2 min', '{ "name": "report" }', {}],
  ['1 min', '{"name": "report"}', { intervalMs: 60_000 }],
  ['2 min', '{"name": "other"}', { args: { name: 'other' } }],
])('with the interval %s and the arguments %s, only what differs is sent', (interval, args, patch) => {
  const read = readTask(form(interval, args));
  expect(!isIssue(read) && patchOf(SHOWN, read)).toEqual(patch);
});

test('both fields are reported at once', () => {
  const read = readTask(form('', '{'));
  expect(isIssue(read) && [...read.fields.keys()]).toEqual(['intervalMs', 'args']);
});
