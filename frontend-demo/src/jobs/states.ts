/** How the states of a job are called and in which order they are shown. */
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

/** The class of a state's colours. */
export function tone(state: JobState): string {
  return `tone-${state.toLowerCase().replace('_', '-')}`;
}
