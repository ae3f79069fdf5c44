import { expect, test } from 'vitest';
import { initialArguments } from './functions';
import type { Runnable } from './functions';

function first(argsSchema: object): unknown {
  return JSON.parse(initialArguments({ argsSchema } as Runnable));
}

test('first arguments have what is required and leave out what is not', () => {
  const properties = { name: { type: 'string' }, times: { type: 'integer' }, dry: { type: 'boolean' } };
  expect(first({ properties, required: ['name', 'times'] })).toEqual({ name: 'name', times: 1 });
});

test('first arguments follow a reference and prefer an example', () => {
  const call = { type: 'object', properties: { url: { examples: ['http://x'] } }, required: ['url'] };
  const schema = { properties: { data: { $ref: '#/$defs/Call' } }, required: ['data'], $defs: { Call: call } };
  expect(first(schema)).toEqual({ data: { url: 'http://x' } });
});

test('a function without arguments gets an empty object', () => {
  expect(initialArguments(undefined)).toBe('{}');
});
