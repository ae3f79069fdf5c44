import { expect, test } from 'vitest';
import { readAnswer } from './answer';

test.each([
  ['{"ok": true}', { ok: true }],
  ['[1, 2]', [1, 2]],
  ['"{oops"', '{oops'],
  ['12', 12],
  ['true', true],
  ['null', null],
  ['Ship it today', 'Ship it today'],
  ['2 of 3 are fine', '2 of 3 are fine'],
  ['-', '-'],
])('%s is sent as %j', (text, result) => {
  expect(readAnswer(text)).toEqual({ result });
});

test.each([
  ['{oops', 'an object', '"{oops"'],
  ['[1, 2', 'a list', '"[1, 2"'],
  ['"Yes', 'a text in quotes', '"\\"Yes"'],
])('%s is refused, with the text that would be sent', (text, name, quoted) => {
  const answer = readAnswer(text);
  const issue = 'issue' in answer ? answer.issue : '';
  expect(issue).toContain(`This begins like ${name} of JSON, but is not JSON: `);
  expect(issue).toContain(`To send it as text, write ${quoted}.`);
});
