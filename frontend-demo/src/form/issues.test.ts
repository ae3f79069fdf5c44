import { CombinedError } from '@urql/core';
import { GraphQLError } from 'graphql';
import { expect, test } from 'vitest';
import { problemsOf } from './issues';
import type { Issue } from './issues';

const KNOWN = ['name', 'intervalMs', 'args'];

function badRequest(...issues: Issue[]): CombinedError {
  const extensions = { code: 'BAD_REQUEST', issues };
  return new CombinedError({ graphQLErrors: [new GraphQLError('Not valid.', { extensions })] });
}

function issue(path: Issue['path'], message: string): Issue {
  return { path, message, code: 'invalid' };
}

test('each issue is at its field, several at one field too', () => {
  const error = badRequest(
    issue(['input', 'name'], 'Too short.'),
    issue(['input', 'name'], 'Not a name.'),
    issue(['input', 'intervalMs'], 'Too small.'),
  );
  const { fields, form } = problemsOf(error, KNOWN);
  expect(fields.get('name')).toEqual(['Too short.', 'Not a name.']);
  expect(fields.get('intervalMs')).toEqual(['Too small.']);
  expect(form).toEqual([]);
});

test('an issue inside the arguments is at the arguments, with its place in them', () => {
  const { fields } = problemsOf(badRequest(issue(['input', 'args', 'items', 0], 'Missing.')), KNOWN);
  expect(fields.get('args')).toEqual(['items.0: Missing.']);
});

test('the place that a message begins with is not said twice', () => {
  const missing = issue(['input', 'args', 'to'], 'args.to: field required');
  const wrong = issue(['input', 'name'], 'name: too long');
  const { fields } = problemsOf(badRequest(missing, wrong), KNOWN);
  expect([fields.get('args'), fields.get('name')]).toEqual([['to: field required'], ['too long']]);
});

test('an issue of a field that the form has not is at its head, with the name', () => {
  expect(problemsOf(badRequest(issue(['input', 'tz'], 'Unknown.')), KNOWN).form).toEqual(['tz: Unknown.']);
  expect(problemsOf(badRequest(issue(['input'], 'Either.')), KNOWN).form).toEqual(['Either.']);
});

test('an error without issues is at the head of the form', () => {
  const conflict = new GraphQLError('There is one already.', { extensions: { code: 'CONFLICT' } });
  expect(problemsOf(new CombinedError({ graphQLErrors: [conflict] }), KNOWN).form).toEqual([
    'There is one already.',
  ]);
});

test('an API that cannot be reached is said in words', () => {
  const error = new CombinedError({ networkError: new TypeError('Failed to fetch') });
  expect(problemsOf(error, KNOWN).form).toEqual(['The API could not be reached. Try again.']);
});
