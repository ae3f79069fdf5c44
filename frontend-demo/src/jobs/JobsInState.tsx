/** The newest jobs in one state, including those that are too old for the list of all jobs. */
import type { JobState } from '../generated';
import { JobRows } from './JobRows';
import { useJobs } from './jobsFeed';
import { NONE_IN_STATE } from './states';

export function JobsInState({ state }: { state: JobState }) {
  return <JobRows view={useJobs(state)} empty={NONE_IN_STATE[state]} />;
}
