import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import sdl from '../../../../schema/schema.graphql?raw';
import { asCurl, asGraphQL, asPython } from './snippets';

const JOB = {
  functionName: 'mail.send',
  args: { to: "o'ada", copies: [1, null, true], empty: {} },
  queue: 'mail',
  priority: 3,
};
const SCHEMA = buildSchema(sdl);

test('a job is written as a valid mutation', () => {
  const text = asGraphQL(JOB);
  expect(validate(SCHEMA, parse(text))).toEqual([]);
  expect(text).toContain(`args: {to: "o'ada", copies: [1, null, true], empty: {}}, queue: "mail", priority: 3`);
});

test('arguments that GraphQL cannot write are passed in a variable', () => {
  const text = asGraphQL({ ...JOB, args: { 'a-b': 1 } });
  expect(validate(SCHEMA, parse(text))).toEqual([]);
  expect(text).toContain('{"a-b":1}');
});

test('a job is written as a call of the Python client', () => {
  expect(asPython(JOB)).toBe(
    `await app.schedule("mail.send", {"to": "o'ada", "copies": [1, None, True], "empty": {}}, queue="mail", priority=3)`,
  );
});

test('a command for the shell quotes the arguments and contains no token', () => {
  const text = asCurl({ ...JOB, queue: 'default', priority: 0 }, 'http://127.0.0.1:8000/graphql');
  expect(text).toContain(`"to":"o'\\''ada"`);
  expect(text).toContain('$OSTINATO_TOKEN');
  expect(text).not.toContain('"queue"');
});
