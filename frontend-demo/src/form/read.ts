/** Reads the fields of a form: all of them, or the problems of all that cannot be read. The server checks the values. */
import { parseDuration } from '../time/parseDuration';
import type { FormIssues } from './issues';

/** Why a field cannot be read. */
export class Problem {
  constructor(readonly message: string) {}
}

export const NOT_A_DURATION = new Problem('Enter a duration, such as "every 5 minutes", "90 s" or 5000 (milliseconds).');

export const NOT_JSON = new Problem('This is not JSON. Example: {"name": "report"}');

type Values<Fields> = { [Name in keyof Fields]: Exclude<Fields[Name], Problem> };

/** Return the values of the fields, or the issues of all that have a problem. */
export function readAll<Fields extends Record<string, unknown>>(fields: Fields): Values<Fields> | FormIssues {
  const problems = new Map<string, string[]>();
  for (const [name, read] of Object.entries(fields)) {
    if (read instanceof Problem) problems.set(name, [read.message]);
  }
  return problems.size > 0 ? { fields: problems, form: [] } : (fields as Values<Fields>);
}

export function isIssue(read: object): read is FormIssues {
  return 'fields' in read && 'form' in read;
}

export function text(values: FormData, name: string): string {
  return String(values.get(name) ?? '').trim();
}

/** Return what stands between commas. */
export function readList(values: FormData, name: string): string[] {
  return text(values, name)
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** Return milliseconds; an empty field is null. */
export function readDuration(values: FormData, name: string): number | null | Problem {
  const entered = text(values, name);
  return entered === '' ? null : (parseDuration(entered) ?? NOT_A_DURATION);
}

/** Return the arguments of a function; none of an empty field. */
export function readArgs(values: FormData): unknown {
  try {
    return JSON.parse(text(values, 'args') || '{}');
  } catch {
    return NOT_JSON;
  }
}

export function readFunction(values: FormData): { functionName: string; args: unknown } | Problem {
  const args = readArgs(values);
  return args instanceof Problem ? args : { functionName: text(values, 'functionName'), args };
}
