/** Converts a failed mutation to messages for the form: one list per field, one for the rest. */
import type { CombinedError } from '@urql/core';
import { inWords } from '../time/format';
import { parseDuration } from '../time/parseDuration';

export type Issue = { path: (string | number)[]; message: string; code: string };

export type FormIssues = { fields: ReadonlyMap<string, string[]>; form: string[] };

export const NO_ISSUES: FormIssues = { fields: new Map(), form: [] };

/** What the user has written into the fields of a form. */
export type Typed = Pick<FormData, 'get'>;

/** Remove a path, or its last steps, from the start of a message. */
function withoutPath(message: string, path: Issue['path']): string {
  const prefix = path.map((_, from) => `${path.slice(from).join('.')}: `).find((each) => message.startsWith(each));
  return prefix === undefined ? message : message.slice(prefix.length);
}

/** Write a path before a text, unless the text names its last step. */
function named(path: Issue['path'], text: string): string {
  const last = String(path.at(-1));
  if (path.length === 0 || text.includes(`'${last}'`)) return text;
  const name = path.join('.');
  return text.startsWith(`${last} `) ? name + text.slice(last.length) : `${name}: ${text}`;
}

/** A duration in the messages of the server: milliseconds, perhaps with words after them. */
const MILLISECONDS = /(got |is )?(-?\d(?:[\d,]*\d)?)(?: \([^)]*\))?/g;

/** Write the durations of a message in words; the one that was entered as the user has written it. */
function withDurations(message: string, typed: string): string {
  return message.replace(MILLISECONDS, (_, entered: string | undefined, digits: string) => {
    const ms = Number(digits.replaceAll(',', ''));
    if (entered === undefined) return ms === 0 ? '0' : inWords(ms);
    const isWritten = parseDuration(typed) !== null && /[a-z]/i.test(typed);
    return entered + (isWritten ? typed : inWords(ms));
  });
}

type Located = { field: string | null; text: string };

/** `["input", "args", "name"]` belongs to the field `args`, with the prefix `name: `; so does `["args", "name"]`. */
function locate({ path, message }: Issue, known: readonly string[], typed: Typed | null): Located {
  const steps = known.includes(String(path[0])) ? path : path.slice(1);
  const [field, ...inside] = steps;
  const rest = withoutPath(message, path);
  if (typeof field !== 'string') return { field: null, text: rest };
  if (!known.includes(field)) return { field: null, text: named(steps, rest) };
  const text = named(inside, rest);
  return { field, text: field.endsWith('Ms') ? withDurations(text, String(typed?.get(field) ?? '').trim()) : text };
}

function issuesOf(extensions: Record<string, unknown>): Issue[] {
  return Array.isArray(extensions['issues']) ? (extensions['issues'] as Issue[]) : [];
}

function collect(located: readonly Located[]): FormIssues {
  const fields = new Map<string, string[]>();
  for (const { field, text } of located) {
    if (field !== null) fields.set(field, [...new Set([...(fields.get(field) ?? []), text])]);
  }
  const form = located.flatMap(({ field, text }) => (field === null ? [text] : []));
  return { fields, form: [...new Set(form)] };
}

/** Assign the server's issues to the `known` fields of a form; the others go to its top. */
export function toFormIssues(error: CombinedError, known: readonly string[], typed: Typed | null = null): FormIssues {
  if (error.networkError) return { ...NO_ISSUES, form: ['The API is not reachable. Try again.'] };
  const issues = error.graphQLErrors.flatMap(({ extensions }) => issuesOf(extensions));
  const rest = error.graphQLErrors
    .filter(({ extensions }) => issuesOf(extensions).length === 0)
    .map(({ message }) => message);
  const { fields, form } = collect(issues.map((issue) => locate(issue, known, typed)));
  return { fields, form: [...form, ...rest] };
}

export function fieldIssue(field: string, message: string): FormIssues {
  return { fields: new Map([[field, [message]]]), form: [] };
}

/** Return the issues without those of the fields that are not `kept`. */
export function issuesOnly(issues: FormIssues, kept: (field: string) => boolean): FormIssues {
  const left = [...issues.fields].filter(([field]) => kept(field));
  return left.length === issues.fields.size ? issues : { fields: new Map(left), form: issues.form };
}

/** Return the issues of a form that was sent, and of its fields as they are now: of a field with both, only the latter. */
export function withCurrent(sent: FormIssues, current: FormIssues | null): FormIssues {
  return current ? { fields: new Map([...sent.fields, ...current.fields]), form: sent.form } : sent;
}

/** What the server says of a field, or of a part of it: `must not be empty`, `to: is required`. */
const PREDICATE = /^(?:([\w.]+): )?((?:must|is) .*)$/s;

/** Return an issue of a field as a sentence with the label of the field: `Name must not be empty.` */
export function sentenceOf(label: string, message: string, name = ''): string {
  if (name !== '' && message.startsWith(`${name} `)) return label + message.slice(name.length);
  const [, part, predicate] = PREDICATE.exec(message) ?? [];
  return predicate === undefined ? message : `${part ?? label} ${predicate}${/[.!?]$/.test(predicate) ? '' : '.'}`;
}

/** Return why an action failed, in one sentence. */
export function reasonOf(error: CombinedError): string {
  return error.graphQLErrors[0]?.message ?? 'The API is not reachable. Try again.';
}
