import { expect, test } from 'vitest';
import { NOT_A_DURATION, NOT_JSON, Problem, isIssue, readAll, readArgs, readDuration, readFunction, readList } from './read';

function form(values: Record<string, string>): FormData {
  const data = new FormData();
  Object.entries(values).forEach(([name, value]) => data.set(name, value));
  return data;
}

test('the problems of all fields are reported at once', () => {
  const read = readAll({ name: new Problem('Too short.'), tz: 'UTC', args: new Problem('No JSON.') });
  expect(isIssue(read) && [...read.fields]).toEqual([
    ['name', ['Too short.']],
    ['args', ['No JSON.']],
  ]);
});

test('without problems, the values are returned', () => {
  expect(readAll({ name: 'report', maxRuns: null })).toEqual({ name: 'report', maxRuns: null });
});

test('a duration is read with its unit, and an empty field has none', () => {
  const values = form({ delay: ' 5 minutes ', none: '', wrong: 'soon' });
  expect(['delay', 'none', 'wrong'].map((name) => readDuration(values, name))).toEqual([300_000, null, NOT_A_DURATION]);
});

test.each([
  ['{"to": "ann"}', { to: 'ann' }],
  [' ', {}],
  ['{', NOT_JSON],
])('the arguments "%s" are read as JSON', (args, read) => {
  expect(readArgs(form({ args }))).toEqual(read);
});

test('a function is read with its arguments', () => {
  expect(readFunction(form({ functionName: 'reports.send', args: '[]' }))).toEqual({ functionName: 'reports.send', args: [] });
  expect(readFunction(form({ functionName: 'reports.send', args: '{' }))).toBe(NOT_JSON);
});

test('a list has what stands between commas', () => {
  expect(readList(form({ tags: ' nightly, customer 7,, ' }), 'tags')).toEqual(['nightly', 'customer 7']);
  expect(readList(form({}), 'tags')).toEqual([]);
});
