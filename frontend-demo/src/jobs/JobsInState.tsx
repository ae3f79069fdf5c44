/** The newest jobs in one state, including those that are too old for the list of all jobs. */
import { useMemo } from 'react';
import type { JobState } from '../generated';
import { useLive } from '../live/useLive';
import { JobRows } from './JobRows';
import { jobsFeed } from './jobsFeed';
import { NONE_IN_STATE } from './states';

export function JobsInState({ state }: { state: JobState }) {
  const source = useMemo(() => jobsFeed(state), [state]);
  return <JobRows view={useLive(source)} empty={NONE_IN_STATE[state]} />;
}
