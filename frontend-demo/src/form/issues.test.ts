import { CombinedError } from '@urql/core';
import { GraphQLError } from 'graphql';
import { expect, test } from 'vitest';
import { NO_ISSUES, fieldIssue, issuesOnly, sentenceOf, toFormIssues, withCurrent } from './issues';
import type { Issue } from './issues';

const KNOWN = ['name', 'intervalMs', 'args'];

function badRequest(...issues: Issue[]): CombinedError {
  const extensions = { code: 'BAD_REQUEST', issues };
  return new CombinedError({ graphQLErrors: [new GraphQLError('Not valid.', { extensions })] });
}

function issue(path: Issue['path'], message: string): Issue {
  return { path, message, code: 'invalid' };
}

test('each issue is shown at its field, also several at one field', () => {
  const error = badRequest(
    issue(['input', 'name'], 'Too short.'),
    issue(['input', 'name'], 'Not a name.'),
    issue(['input', 'intervalMs'], 'Too small.'),
  );
  const { fields, form } = toFormIssues(error, KNOWN);
  expect(fields.get('name')).toEqual(['Too short.', 'Not a name.']);
  expect(fields.get('intervalMs')).toEqual(['Too small.']);
  expect(form).toEqual([]);
});

test('an issue inside the arguments is shown at the arguments, with its path', () => {
  const { fields } = toFormIssues(badRequest(issue(['input', 'args', 'items', 0], 'Missing.')), KNOWN);
  expect(fields.get('args')).toEqual(['items.0: Missing.']);
});

test('the path at the start of a message is not repeated', () => {
  const missing = issue(['input', 'args', 'to'], 'args.to: field required');
  const wrong = issue(['input', 'name'], 'name: too long');
  const { fields } = toFormIssues(badRequest(missing, wrong), KNOWN);
  expect([fields.get('args'), fields.get('name')]).toEqual([['to: field required'], ['too long']]);
});

test('the path of an argument of the mutation itself is shown once', () => {
  const missing = issue(['args', 'data'], 'args.data: is required');
  expect(toFormIssues(badRequest(missing), ['args'])).toEqual({ fields: new Map([['args', ['data: is required']]]), form: [] });
});

test.each([
  [['input', 'tz'], 'tz must be a text', 'tz must be a text'],
  [['input', 'calendar'], 'calendar: must not be empty', 'calendar: must not be empty'],
  [['input', 'ranges', 0, 'last'], 'last must not be before first', 'ranges.0.last must not be before first'],
  [['input', 'runAt'], 'runAt is too late', 'runAt is too late'],
])('a message that names its field does not get the path %j before the name', (path, message, text) => {
  expect(toFormIssues(badRequest(issue(path, message)), KNOWN).form).toEqual([text]);
});

test('a message with the name of an unknown argument gets no path', () => {
  const unknown = issue(['input', 'args', 'nam'], "args.nam: there is no argument 'nam': did you mean 'name'?");
  expect(toFormIssues(badRequest(unknown), KNOWN).fields.get('args')).toEqual(["there is no argument 'nam': did you mean 'name'?"]);
});

test('equal issues of a field are shown once', () => {
  const twice = badRequest(issue(['input', 'name'], 'Taken.'), issue(['input', 'name'], 'Taken.'));
  expect(toFormIssues(twice, KNOWN).fields.get('name')).toEqual(['Taken.']);
});

test.each([
  ['0 s', 'intervalMs is 0; it must be 1000 (a second) to 157680000000 (5 years)', 'Interval is 0 s; it must be 1 second to 5 years'],
  ['0', 'intervalMs is 0; it must be 1000 (a second) to 157680000000 (5 years)', 'Interval is 0 milliseconds; it must be 1 second to 5 years'],
  ['2 d', 'intervalMs: must be 0 to 86,400,000, got 172800000', 'Interval must be 0 to 1 day, got 2 d.'],
  ['0.5', 'intervalMs must be 1,000 to 86,400,000, got 1', 'Interval must be 1 second to 1 day, got 1 millisecond'],
])('the duration "%s" is shown as it was written, and its limits in words', (typed, message, text) => {
  const values = new FormData();
  values.set('intervalMs', typed);
  const [found] = toFormIssues(badRequest(issue(['input', 'intervalMs'], message)), KNOWN, values).fields.get('intervalMs')!;
  expect(sentenceOf('Interval', found!, 'intervalMs')).toBe(text);
});

test('what is wrong now replaces what the server said of the same fields before', () => {
  const sent = { fields: new Map([['tz', ['old']], ['name', ['taken']]]), form: ['Sorry.'] };
  expect(withCurrent(sent, null)).toBe(sent);
  expect(withCurrent(sent, fieldIssue('tz', 'new'))).toEqual({
    fields: new Map([['tz', ['new']], ['name', ['taken']]]),
    form: ['Sorry.'],
  });
});

test('what the server said stays until its field is changed, also if a preview finds nothing wrong', () => {
  const sent = fieldIssue('exclusions', 'they leave no day');
  expect(withCurrent(sent, NO_ISSUES)).toEqual(sent);
});

test('issues are the same object if all of them are kept', () => {
  const sent = fieldIssue('name', 'taken');
  expect(issuesOnly(sent, () => true)).toBe(sent);
  expect(issuesOnly(sent, () => false).fields.size).toBe(0);
});

test('an issue of a field that is not in the form is shown at its top, with the name', () => {
  expect(toFormIssues(badRequest(issue(['input', 'tz'], 'Unknown.')), KNOWN).form).toEqual(['tz: Unknown.']);
  expect(toFormIssues(badRequest(issue(['input'], 'Either.')), KNOWN).form).toEqual(['Either.']);
});

test('an error without issues is shown at the top of the form', () => {
  const conflict = new GraphQLError('There is one already.', { extensions: { code: 'CONFLICT' } });
  expect(toFormIssues(new CombinedError({ graphQLErrors: [conflict] }), KNOWN).form).toEqual([
    'There is one already.',
  ]);
});

test('an unreachable API has its own message', () => {
  const error = new CombinedError({ networkError: new TypeError('Failed to fetch') });
  expect(toFormIssues(error, KNOWN).form).toEqual(['The API is not reachable. Try again.']);
});

test.each([
  ['must not be empty', 'Name must not be empty.'],
  ["must be at least 1000, got 5", 'Name must be at least 1000, got 5.'],
  ['data.url: must be an http or https address', 'data.url must be an http or https address.'],
  ["'61 * * * *': minute must be 0-59, got 61", "'61 * * * *': minute must be 0-59, got 61"],
  ['Enter a duration.', 'Enter a duration.'],
])('the issue "%s" of the field Name is the sentence "%s"', (message, sentence) => {
  expect(sentenceOf('Name', message)).toBe(sentence);
});

test('the name of a field that begins its issue is written as in the form', () => {
  const message = 'intervalMs is 5; it must be at least 1000';
  expect(sentenceOf('Interval', message, 'intervalMs')).toBe('Interval is 5; it must be at least 1000');
});
