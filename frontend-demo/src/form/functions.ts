/** The functions that the user may run, and initial arguments for them. */
import type { WelcomeQuery } from '../generated';

export type Runnable = NonNullable<WelcomeQuery['functions']>[number];

/** The default function of crons; its `name` defaults to the cron's name. */
export const DEFAULT_FUNCTION = 'tasks.runTask';

/** The part of JSON Schema that is needed for initial values. */
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

/** Return the required arguments of the function's schema, with initial values to edit. */
export function firstArguments(runnable: Runnable | undefined): string {
  const schema = (runnable?.argsSchema ?? {}) as Schema;
  return JSON.stringify(requiredOf(schema, schema), null, 2);
}
