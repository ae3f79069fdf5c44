/** What can be run: the functions that are public to the viewer, and first arguments for each. */
import type { WelcomeQuery } from '../generated';

export type Runnable = NonNullable<WelcomeQuery['functions']>[number];

type Property = { type?: string; default?: unknown; examples?: unknown[] };
type ArgsSchema = { properties?: Record<string, Property>; required?: string[] };

const BLANKS: Record<string, unknown> = { integer: 1, number: 1, boolean: false, array: [], object: {} };

function firstValue(name: string, { type = 'string', examples = [] }: Property): unknown {
  return examples[0] ?? (type in BLANKS ? BLANKS[type] : name);
}

/** Arguments that fit the function's schema: what it requires, to be edited. */
export function firstArguments(runnable: Runnable | undefined): string {
  const { properties = {}, required = [] } = (runnable?.argsSchema ?? {}) as ArgsSchema;
  const values = required.map((name) => [name, firstValue(name, properties[name] ?? {})] as const);
  return JSON.stringify(Object.fromEntries(values), null, 2);
}
