/** Counts the jobs by state: again at most once a second while jobs change, and now and then without a change. */
import { useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { JobCountsDocument } from '../generated';
import type { JobFilter } from '../generated';
import { countVariables, countsOf } from './counts';
import type { JobCounts } from './counts';

const MIN_INTERVAL_MS = 1_000;
/** Changes of jobs in other states than the selected one do not arrive. */
const MAX_INTERVAL_MS = 5_000;

/** @param changes how many changes of the jobs have arrived. */
export function useJobCounts(filter: JobFilter | undefined, changes: number): JobCounts {
  const client = useClient();
  const variables = countVariables(filter);
  const key = JSON.stringify(variables);
  const [known, setKnown] = useState<{ key: string; counts: JobCounts }>({ key, counts: {} });
  const latest = useRef(changes);
  latest.current = changes;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    let [counted, at] = [-1, 0];
    const isDue = (): boolean => latest.current !== counted || Date.now() - at >= MAX_INTERVAL_MS;
    const count = async (): Promise<void> => {
      if (isDue() && document.visibilityState === 'visible') {
        [counted, at] = [latest.current, Date.now()];
        const { data } = await client.query(JobCountsDocument, variables, { requestPolicy: 'network-only' });
        if (data && !ended) setKnown({ key, counts: countsOf(data) });
      }
      if (!ended) timer = setTimeout(() => void count(), MIN_INTERVAL_MS);
    };
    void count();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [client, key]);
  return known.key === key ? known.counts : {};
}
