import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import sdl from '../../../schema/schema.graphql?raw';
import { EXAMPLES } from './examples';

const SCHEMA = buildSchema(sdl);

test.each(EXAMPLES)('the operations of an example are valid: %#', (example) => {
  expect(validate(SCHEMA, parse(example)).map(({ message }) => message)).toEqual([]);
});
