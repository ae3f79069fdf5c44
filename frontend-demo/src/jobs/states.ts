/** The names of the job states, and the order in which they are shown. */
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
