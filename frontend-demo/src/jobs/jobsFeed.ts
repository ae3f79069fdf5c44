/** The jobs that match a filter: the newest ones live, and older ones as they are loaded. */
import { useCallback, useMemo, useState, useSyncExternalStore } from 'react';
import { useClient } from 'urql';
import type { Client } from 'urql';
import { LiveList } from 'ostinato-client';
import type { LiveView, Page } from 'ostinato-client';
import { urqlSource } from 'ostinato-client/urql';
import { JobsChangedDocument, JobsPageDocument } from '../generated';
import type { JobFilter, JobRowFragment, JobsChangedSubscription } from '../generated';
import { newestFirst } from './shown';

export type Job = JobRowFragment;

/** The jobs that are followed at first; pages of older ones have as many. */
export const NEWEST = 100;
/** Beyond it, browsers cannot show a list of this height. */
export const MAX_LOADED = 200_000;

export type JobsFeed = {
  /** Changes with the filter: what belongs to the jobs of another filter can be forgotten. */
  key: string;
  view: LiveView<Job>;
  /** Whether there are older jobs that can be loaded. */
  hasOlder: boolean;
  older: 'idle' | 'loading' | 'failed';
  /** Load pages of older jobs, one after another. */
  loadOlder: (pages?: number) => Promise<void>;
};

type JobsList = LiveList<JobsChangedSubscription>;

function openList(client: Client, filter: JobFilter | undefined): JobsList {
  const variables = { first: NEWEST + 1, ...(filter && { filter }) };
  const source = urqlSource(client, JobsChangedDocument, variables);
  return new LiveList(source, { limit: NEWEST, order: newestFirst, expiresAt: ({ purgeAt }) => purgeAt });
}

async function readPage(client: Client, filter: JobFilter | undefined, after: string | null): Promise<Page<Job>> {
  const variables = { filter: filter ?? null, first: NEWEST, after };
  const { data, error } = await client.query(JobsPageDocument, variables, { requestPolicy: 'network-only' });
  if (!data?.jobs) throw error ?? new Error('The API did not return any jobs.');
  return data.jobs;
}

export function useJobsFeed(filter: JobFilter | undefined): JobsFeed {
  const client = useClient();
  const key = JSON.stringify(filter ?? null);
  const list = useMemo(() => openList(client, filter), [client, key]);
  const view = useSyncExternalStore(list.subscribe, list.getSnapshot);
  const [older, setOlder] = useState<{ list: JobsList; state: JobsFeed['older'] }>({ list, state: 'idle' });
  const loadOlder = useCallback(
    async (pages = 1): Promise<void> => {
      setOlder({ list, state: 'loading' });
      try {
        for (let page = 0; page < pages; page++) await list.loadMore((after) => readPage(client, filter, after));
        setOlder({ list, state: 'idle' });
      } catch {
        setOlder({ list, state: 'failed' });
      }
    },
    [client, list],
  );
  return {
    key,
    view,
    hasOlder: view.status === 'live' && view.truncated && view.rows.length < MAX_LOADED,
    older: older.list === list ? older.state : 'idle',
    loadOlder,
  };
}
