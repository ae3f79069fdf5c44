/** Reads what is entered for a recurring task, and what of it differs from the task that was shown. No I/O. */
import type { FormIssues } from '../form/issues';
import { NOT_A_DURATION, readAll, readArgs, readDuration } from '../form/read';

export type EnteredTask = { intervalMs: number; args: unknown };

export function readTask(values: FormData): EnteredTask | FormIssues {
  return readAll({ intervalMs: readDuration(values, 'intervalMs') ?? NOT_A_DURATION, args: readArgs(values) });
}

export function patchOf(shown: EnteredTask, { intervalMs, args }: EnteredTask): Partial<EnteredTask> {
  return {
    ...(intervalMs !== shown.intervalMs && { intervalMs }),
    ...(JSON.stringify(args) !== JSON.stringify(shown.args) && { args }),
  };
}
