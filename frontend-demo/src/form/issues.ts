/** Converts a failed mutation to messages for the form: one list per field, one for the rest. */
import type { CombinedError } from '@urql/core';

export type Issue = { path: (string | number)[]; message: string; code: string };

export type FormIssues = { fields: ReadonlyMap<string, string[]>; form: string[] };

export const NO_ISSUES: FormIssues = { fields: new Map(), form: [] };

/** Remove the path from the start of a message: the form shows it at that field. */
function withoutPath(message: string, path: Issue['path']): string {
  const prefix = `${path.join('.')}: `;
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

/** `["input", "args", "name"]` belongs to the field `args`, with the prefix `name: `. */
function locate({ path, message }: Issue): { field: string | null; text: string } {
  const [, field, ...inside] = path;
  const rest = withoutPath(message, path.slice(1));
  const text = inside.length ? `${inside.join('.')}: ${rest}` : rest;
  return { field: typeof field === 'string' ? field : null, text };
}

function collect(issues: Issue[], known: readonly string[]): FormIssues {
  const fields = new Map<string, string[]>();
  const form: string[] = [];
  for (const issue of issues) {
    const { field, text } = locate(issue);
    if (field !== null && known.includes(field)) {
      fields.set(field, [...(fields.get(field) ?? []), text]);
    } else {
      form.push(field === null ? text : `${field}: ${text}`);
    }
  }
  return { fields, form };
}

function issuesOf(extensions: Record<string, unknown>): Issue[] {
  return Array.isArray(extensions['issues']) ? (extensions['issues'] as Issue[]) : [];
}

/** Assign the server's issues to the `known` fields of a form; the others go to its top. */
export function toFormIssues(error: CombinedError, known: readonly string[]): FormIssues {
  if (error.networkError) return { ...NO_ISSUES, form: ['The API is not reachable. Try again.'] };
  const issues = error.graphQLErrors.flatMap(({ extensions }) => issuesOf(extensions));
  const rest = error.graphQLErrors
    .filter(({ extensions }) => issuesOf(extensions).length === 0)
    .map(({ message }) => message);
  const { fields, form } = collect(issues, known);
  return { fields, form: [...form, ...rest] };
}

export function fieldIssue(field: string, message: string): FormIssues {
  return { fields: new Map([[field, [message]]]), form: [] };
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
