/** Turns a failed mutation into messages for the form: one list a field, one for the rest. */
import type { CombinedError } from '@urql/core';

export type Issue = { path: (string | number)[]; message: string; code: string };

export type Problems = { fields: ReadonlyMap<string, string[]>; form: string[] };

export const NO_PROBLEMS: Problems = { fields: new Map(), form: [] };

/** Leave out of a message the place that it begins with: the form shows it there. */
function withoutPlace(message: string, path: Issue['path']): string {
  const place = `${path.join('.')}: `;
  return message.startsWith(place) ? message.slice(place.length) : message;
}

/** `["input", "args", "name"]` belongs to the field `args` and is told apart as `name: …`. */
function locate({ path, message }: Issue): { field: string | null; text: string } {
  const [, field, ...inside] = path;
  const said = withoutPlace(message, path.slice(1));
  const text = inside.length ? `${inside.join('.')}: ${said}` : said;
  return { field: typeof field === 'string' ? field : null, text };
}

function collect(issues: Issue[], known: readonly string[]): Problems {
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

/** Place the server's issues at the `known` fields of a form; what fits none is for its head. */
export function problemsOf(error: CombinedError, known: readonly string[]): Problems {
  if (error.networkError) return { ...NO_PROBLEMS, form: ['The API could not be reached. Try again.'] };
  const issues = error.graphQLErrors.flatMap(({ extensions }) => issuesOf(extensions));
  const rest = error.graphQLErrors
    .filter(({ extensions }) => issuesOf(extensions).length === 0)
    .map(({ message }) => message);
  const problems = collect(issues, known);
  return { ...problems, form: [...problems.form, ...rest] };
}

export function problemAt(field: string, message: string): Problems {
  return { fields: new Map([[field, [message]]]), form: [] };
}
