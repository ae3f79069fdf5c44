/** Writes the call that would schedule a job again, for three kinds of clients. */

export type Scheduled = { functionName: string; args: unknown; queue: string; priority: number };

const DEFAULT_QUEUE = 'default';

/** Write a JSON value as GraphQL: names of fields have no quotes, if GraphQL allows that. */
function toGraphQL(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toGraphQL).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, inner]) => `${name}: ${toGraphQL(inner)}`)
    .join(', ')}}`;
}

/** Write a JSON value as Python. */
function toPython(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(toPython).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, inner]) => `${JSON.stringify(name)}: ${toPython(inner)}`)
    .join(', ')}}`;
}

/** The options of the job that differ from the defaults. */
function optionsOf({ queue, priority }: Scheduled): Record<string, unknown> {
  return { ...(queue !== DEFAULT_QUEUE && { queue }), ...(priority !== 0 && { priority }) };
}

/** Whether GraphQL can write the names of all fields without a variable. */
function isLiteral(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return true;
  const names = Array.isArray(value) ? [] : Object.keys(value);
  return names.every((name) => /^[A-Za-z_]\w*$/.test(name)) && Object.values(value).every(isLiteral);
}

const MUTATION = `mutation Schedule($input: ScheduleJobInput!) {
  scheduleJob(input: $input) {
    jobId
  }
}`;

export function asGraphQL(job: Scheduled): string {
  const input = { functionName: job.functionName, args: job.args, ...optionsOf(job) };
  if (!isLiteral(input)) return `${MUTATION}\n\n# Variables\n# ${JSON.stringify({ input })}`;
  return `mutation {\n  scheduleJob(input: ${toGraphQL(input)}) {\n    jobId\n  }\n}`;
}

export function asPython(job: Scheduled): string {
  const options = Object.entries(optionsOf(job)).map(([name, value]) => `, ${name}=${toPython(value)}`);
  return `await app.schedule(${JSON.stringify(job.functionName)}, ${toPython(job.args)}${options.join('')})`;
}

/** The token is left out: it would be a secret on the clipboard. */
export function asCurl(job: Scheduled, url: string): string {
  const variables = { input: { functionName: job.functionName, args: job.args, ...optionsOf(job) } };
  const body = JSON.stringify({ query: MUTATION, variables }).replaceAll("'", "'\\''");
  return [
    `curl ${url}`,
    `-H 'Content-Type: application/json'`,
    `-H "Authorization: Bearer $OSTINATO_TOKEN"`,
    `--data '${body}'`,
  ].join(' \\\n  ');
}
