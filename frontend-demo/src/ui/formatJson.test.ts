import { expect, test } from 'vitest';
import { formatJson } from './formatJson';

test('commas and colons are followed by spaces', () => {
  expect(formatJson({ a: [1, { b: null }], c: {} })).toBe('{"a": [1, {"b": null}], "c": {}}');
});

test.each([':-)', 'a,', '{ x', ' ]', '\n{', '":', ',"'])('the text %j is not changed', (text) => {
  expect(JSON.parse(formatJson({ [text]: [text, text] }))).toEqual({ [text]: [text, text] });
  expect(formatJson(text)).toBe(JSON.stringify(text));
});
