import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import sdl from '../../../schema/schema.graphql?raw';
import { exampleDocuments } from './examples';

const SCHEMA = buildSchema(sdl);

test.each(exampleDocuments('http://127.0.0.1:1/flaky'))('the operations of an example are valid: %#', (example) => {
  expect(validate(SCHEMA, parse(example)).map(({ message }) => message)).toEqual([]);
});
