import { expect, test } from 'vitest';
import { initialArguments } from './functions';
import type { Runnable } from './functions';

function parsedArguments(argsSchema: object): unknown {
  return JSON.parse(initialArguments({ argsSchema } as Runnable));
}

test('initial arguments contain only the required properties', () => {
  const properties = { name: { type: 'string' }, times: { type: 'integer' }, dry: { type: 'boolean' } };
  expect(parsedArguments({ properties, required: ['name', 'times'] })).toEqual({ name: 'name', times: 1 });
});

test('initial arguments resolve references and prefer examples', () => {
  const call = { type: 'object', properties: { url: { examples: ['http://x'] } }, required: ['url'] };
  const schema = { properties: { data: { $ref: '#/$defs/Call' } }, required: ['data'], $defs: { Call: call } };
  expect(parsedArguments(schema)).toEqual({ data: { url: 'http://x' } });
});

test('without a function, the arguments are an empty object', () => {
  expect(initialArguments(undefined)).toBe('{}');
});
