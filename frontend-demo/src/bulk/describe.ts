/** What became of a bulk action, in words. No I/O. */
import type { BulkOutcome, BulkProgressFragment } from '../generated';
import { counted } from '../ui/counted';

const CHANGED: readonly BulkOutcome[] = ['CANCELED', 'CANCEL_REQUESTED', 'RETRIED', 'RESCHEDULED', 'RESOLVED'];

export type Progress = Pick<BulkProgressFragment, 'kind' | 'state' | 'processed' | 'total' | 'outcomes'>;

const VERBS: Record<Progress['kind'], { running: string; noun: string; done: string }> = {
  CANCEL_JOBS: { running: 'Canceling jobs', noun: 'job', done: 'canceled' },
  RETRY_JOBS: { running: 'Retrying jobs', noun: 'job', done: 'retried' },
  RESCHEDULE_JOBS: { running: 'Rescheduling jobs', noun: 'job', done: 'rescheduled' },
  RESOLVE_FAILURES: { running: 'Resolving failures', noun: 'failure', done: 'resolved' },
  RETRY_FAILURES: { running: 'Retrying failed jobs', noun: 'job', done: 'retried' },
};

/** Return how many jobs were changed, and how many could not be. */
function changedAndNot({ outcomes }: Pick<Progress, 'outcomes'>): [changed: number, not: number] {
  const sum = (wanted: boolean): number =>
    outcomes.reduce((total, { outcome, count }) => total + (CHANGED.includes(outcome) === wanted ? count : 0), 0);
  return [sum(true), sum(false)];
}

/** Describe a bulk action in a line. */
export function describe(action: Progress): string {
  const { running, noun, done } = VERBS[action.kind];
  const [changed, not] = changedAndNot(action);
  if (action.state === 'RUNNING') {
    const of = action.total === null ? '' : ` of ${action.total.toLocaleString()}`;
    return `${running}: ${action.processed.toLocaleString()}${of}`;
  }
  const ends = { DONE: '', CANCELED: 'Stopped. ', FAILED: 'It failed. ' }[action.state];
  const unchanged = not > 0 ? `, ${not.toLocaleString()} could not be` : '';
  return `${ends}${counted(changed, noun)} ${done}${unchanged}.`;
}
