/** What became of a bulk action, in words. No I/O. */
import type { BulkOutcome, BulkProgressFragment } from '../generated';

const CHANGED: readonly BulkOutcome[] = ['CANCELED', 'CANCEL_REQUESTED', 'RETRIED', 'RESCHEDULED', 'RESOLVED'];

export type Progress = Pick<BulkProgressFragment, 'kind' | 'state' | 'processed' | 'total' | 'outcomes'>;

const VERBS: Record<Progress['kind'], { running: string; done: string }> = {
  CANCEL_JOBS: { running: 'Canceling jobs', done: 'canceled' },
  RETRY_JOBS: { running: 'Retrying jobs', done: 'retried' },
  RESCHEDULE_JOBS: { running: 'Rescheduling jobs', done: 'rescheduled' },
  RESOLVE_FAILURES: { running: 'Resolving failures', done: 'resolved' },
  RETRY_FAILURES: { running: 'Retrying failed jobs', done: 'retried' },
};

/** Return how many jobs were changed, and how many could not be. */
function changedAndNot({ outcomes }: Pick<Progress, 'outcomes'>): [changed: number, not: number] {
  const sum = (wanted: boolean): number =>
    outcomes.reduce((total, { outcome, count }) => total + (CHANGED.includes(outcome) === wanted ? count : 0), 0);
  return [sum(true), sum(false)];
}

/** Describe a bulk action in a line. */
export function describe(action: Progress): string {
  const { running, done } = VERBS[action.kind];
  const [changed, not] = changedAndNot(action);
  if (action.state === 'RUNNING') {
    const of = action.total === null ? '' : ` of ${action.total.toLocaleString()}`;
    return `${running}: ${action.processed.toLocaleString()}${of}`;
  }
  const ends = { DONE: '', CANCELED: 'Stopped. ', FAILED: 'It failed. ' }[action.state];
  const unchanged = not > 0 ? `, ${not.toLocaleString()} could not be` : '';
  return `${ends}${changed.toLocaleString()} ${done}${unchanged}.`;
}
