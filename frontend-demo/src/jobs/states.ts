/** The names of the job states, the order in which they are shown, and how a success that contains a failure is shown. */
import type { JobState } from '../generated';

export const JOB_STATES: readonly JobState[] = [
  'IN_PROGRESS',
  'PENDING',
  'SUCCESS',
  'FAILED',
  'CANCELED',
];

export const STATE_NAMES: Record<JobState, string> = {
  PENDING: 'Pending',
  IN_PROGRESS: 'In progress',
  SUCCESS: 'Success',
  FAILED: 'Failed',
  CANCELED: 'Canceled',
};

/** The text shown when no job is in a state. */
export const NONE_IN_STATE: Record<JobState, string> = {
  PENDING: 'No pending jobs.',
  IN_PROGRESS: 'No jobs in progress.',
  SUCCESS: 'No successful jobs.',
  FAILED: 'No failed jobs.',
  CANCELED: 'No canceled jobs.',
};

/** The CSS class with the colours of a state. */
export function tone(state: JobState): string {
  return `tone-${state.toLowerCase().replace('_', '-')}`;
}

/** Each call is a job of its own: it succeeds once it has scheduled the next call, or recorded that all have failed. */
const CALLS = 'actions.retryableAction';

type Shown = {
  functionName: string;
  state: JobState;
  progress: { message: string | null } | null;
  recordedFailure: object | null;
};

/** Return what became of a call that failed although its job has succeeded; null for all other jobs. */
export function failedCall({ functionName, state, progress }: Omit<Shown, 'recordedFailure'>): string | null {
  return functionName === CALLS && state === 'SUCCESS' ? (progress?.message ?? null) : null;
}

/** Return the name of a job's state and its colours; a success with a failure in it does not look like one. */
export function shownState(job: Shown): { name: string; tone: string } {
  if (failedCall(job) !== null) return { name: 'Call failed', tone: 'tone-warning' };
  const isMixed = job.state === 'SUCCESS' && job.recordedFailure !== null;
  return { name: STATE_NAMES[job.state], tone: isMixed ? 'tone-warning' : tone(job.state) };
}
