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

/** What is said when no job is in a state. */
export const NONE_IN_STATE: Record<JobState, string> = {
  PENDING: 'None of the jobs is pending.',
  IN_PROGRESS: 'None of the jobs is in progress.',
  SUCCESS: 'None of the jobs has succeeded.',
  FAILED: 'None of the jobs has failed.',
  CANCELED: 'None of the jobs was canceled.',
};

/** The class of a state's colours. */
export function tone(state: JobState): string {
  return `tone-${state.toLowerCase().replace('_', '-')}`;
}
