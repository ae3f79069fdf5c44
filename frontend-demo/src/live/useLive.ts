/** The hook that turns a `…Changed` subscription into rows. */
import { useMemo, useSyncExternalStore } from 'react';
import { useClient } from 'urql';
import { Feed } from './feed';
import type { FeedView, Source } from './feed';
import type { Versioned } from './merge';

/** `source` must be stable: a new source starts a new feed. */
export function useLive<Data, Entity extends Versioned>(
  source: Source<Data, Entity>,
): FeedView<Entity> {
  const client = useClient();
  const feed = useMemo(() => new Feed(client, source), [client, source]);
  return useSyncExternalStore(feed.subscribe, feed.read);
}
