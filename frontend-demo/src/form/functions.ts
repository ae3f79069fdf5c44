/** What can be run: the functions that are public to the viewer, and first arguments for each. */
import type { WelcomeQuery } from '../generated';

export type Runnable = NonNullable<WelcomeQuery['functions']>[number];

/** What crons run by default; the server completes its `name` by the cron's. */
export const DEFAULT_FUNCTION = 'tasks.runTask';

/** The part of JSON Schema that tells what a first value looks like. */
type Schema = {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
};

const BLANKS: Record<string, unknown> = { integer: 1, number: 1, boolean: false, array: [] };

function referred(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return (name && root.$defs?.[name]) || schema;
}

function firstValue(name: string, given: Schema, root: Schema): unknown {
  const schema = referred(given, root);
  const known = schema.examples?.[0] ?? schema.default ?? schema.enum?.[0];
  if (known !== undefined) return known;
  if (schema.type === 'object') return requiredOf(schema, root);
  return BLANKS[schema.type ?? 'string'] ?? name;
}

function requiredOf({ properties = {}, required = [] }: Schema, root: Schema): object {
  return Object.fromEntries(
    required.map((name) => [name, firstValue(name, properties[name] ?? {}, root)]),
  );
}

/** Arguments that fit the function's schema: what it requires, to be edited. */
export function firstArguments(runnable: Runnable | undefined): string {
  const schema = (runnable?.argsSchema ?? {}) as Schema;
  return JSON.stringify(requiredOf(schema, schema), null, 2);
}
