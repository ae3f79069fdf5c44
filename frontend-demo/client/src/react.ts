/** The React hook that the entry points for GraphQL clients share. */
import { useMemo, useSyncExternalStore } from 'react';
import { LiveList } from './liveList.js';
import type { LiveOptions, LiveSource, LiveView } from './liveList.js';
import type { LiveData, RowOf } from './message.js';

export type LiveHookOptions<Row> = LiveOptions<Row> & {
  /** Do not subscribe. The rows stay as they are. */
  skip?: boolean | undefined;
};

const never = () => () => {};

/** Follow the subscription that `source` starts. A new list starts when one of `keys` changes. */
export function useLiveList<Data extends LiveData>(
  source: LiveSource<Data>,
  keys: readonly unknown[],
  { limit, order, expiresAt, skip = false }: LiveHookOptions<RowOf<Data>>,
): LiveView<RowOf<Data>> {
  const list = useMemo(() => new LiveList(source, { limit, order, expiresAt }), [...keys, limit]);
  return useSyncExternalStore(skip ? never : list.subscribe, list.getSnapshot, list.getSnapshot);
}
