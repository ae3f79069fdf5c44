import { CombinedError } from '@urql/core';
import { GraphQLError } from 'graphql';
import { expect, test } from 'vitest';
import { sentenceOf, toFormIssues } from './issues';
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
