/** The log lines of a job, in the order of their numbers. */
import type { JobLogsChangedSubscription } from '../../generated';

export type LogLine = NonNullable<JobLogsChangedSubscription['jobLogsChanged']>['lines'][number];

/** The server keeps as many lines. */
const MAX_LINES = 1_000;

function isOrdered(a: LogLine | undefined, b: LogLine): boolean {
  return a === undefined || a.attempt < b.attempt || (a.attempt === b.attempt && a.seq < b.seq);
}

/** Add lines, each once: after a reconnect, some are sent again. */
export function mergeLines(known: readonly LogLine[], added: readonly LogLine[]): LogLine[] {
  const isAppended = added.every((line, index) => isOrdered(added[index - 1] ?? known.at(-1), line));
  if (isAppended) return [...known, ...added].slice(-MAX_LINES);
  const lines = new Map([...known, ...added].map((line) => [`${line.attempt}/${line.seq}`, line]));
  return [...lines.values()].sort((a, b) => a.attempt - b.attempt || a.seq - b.seq).slice(-MAX_LINES);
}
