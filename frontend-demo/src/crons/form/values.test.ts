import { expect, test } from 'vitest';
import { isIssue } from '../../form/read';
import { fieldsWith, readCron, readNamedCron } from './values';

function form(values: Record<string, string>): FormData {
  const data = new FormData();
  Object.entries({ kind: 'interval', intervalMs: '5 s', ...values }).forEach(([name, value]) => data.set(name, value));
  return data;
}

test('the issues of all fields that cannot be read are reported at once', () => {
  const read = readNamedCron(form({ name: ' ', intervalMs: 'soon', args: '{', exclusions: 'x', jitterMs: '?', maxRuns: 'many' }));
  const fields = isIssue(read) ? [...read.fields.keys()] : [];
  expect(fields).toEqual(['name', 'intervalMs', 'args', 'exclusions', 'jitterMs', 'maxRuns']);
});

test('a cron without a name can be previewed, but not sent', () => {
  expect(isIssue(readCron(form({})))).toBe(false);
  expect(isIssue(readNamedCron(form({})))).toBe(true);
});

test('durations are read with their units, and empty fields have defaults', () => {
  expect(readCron(form({ name: 'n', intervalMs: 'every 2 minutes', catchUpWindowMs: '1 h' }))).toMatchObject({
    name: 'n',
    schedule: { intervalMs: 120_000 },
    policies: { jitterMs: 0, catchUpWindowMs: 3_600_000, maxRuns: null },
  });
});

test('a change of the calendar concerns the issues of the days without runs, and a change of the name only its own', () => {
  expect(fieldsWith('calendar')).toContain('exclusions');
  expect(fieldsWith('name')).toEqual(['name']);
});
