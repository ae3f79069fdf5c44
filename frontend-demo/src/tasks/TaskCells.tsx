/** The name of a recurring task, and how often it runs. */
import type { TaskRowFragment } from '../generated';
import { formatDuration } from '../time/format';
import { rateOf } from './rate';

export function TaskName({ task: { taskId, functionName } }: { task: TaskRowFragment }) {
  return (
    <>
      <strong>{taskId}</strong>
      <code className="row-note">{functionName}</code>
    </>
  );
}

export function Rate({ intervalMs }: { intervalMs: number }) {
  const rate = rateOf(intervalMs);
  return (
    <>
      every {formatDuration(intervalMs)}
      {rate && <p className="row-note">{rate}</p>}
    </>
  );
}
