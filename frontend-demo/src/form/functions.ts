/** The functions that the user may run, and initial arguments for them. */
import type { ViewerQuery } from '../generated';

export type Runnable = NonNullable<ViewerQuery['functions']>[number];

/** The default function of crons; its argument `name` defaults to the cron's name. */
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

const INITIAL_VALUES: Record<string, unknown> = { integer: 1, number: 1, boolean: false, array: [] };

function resolveRef(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return (name && root.$defs?.[name]) || schema;
}

function initialValue(name: string, given: Schema, root: Schema): unknown {
  const schema = resolveRef(given, root);
  const known = schema.examples?.[0] ?? schema.default ?? schema.enum?.[0];
  if (known !== undefined) return known;
  if (schema.type === 'object') return requiredProperties(schema, root);
  return INITIAL_VALUES[schema.type ?? 'string'] ?? name;
}

function requiredProperties({ properties = {}, required = [] }: Schema, root: Schema): object {
  return Object.fromEntries(
    required.map((name) => [name, initialValue(name, properties[name] ?? {}, root)]),
  );
}

/** Return the required arguments of the function's schema, with initial values to edit. */
export function initialArguments(runnable: Runnable | undefined): string {
  const schema = (runnable?.argsSchema ?? {}) as Schema;
  return JSON.stringify(requiredProperties(schema, schema), null, 2);
}
