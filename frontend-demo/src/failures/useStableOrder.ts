/** Keeps the order of groups while one list is shown, whatever newer failures they get. */
import { useState } from 'react';
import { arrange, withNew } from './order';

type Stored = {
  /** The list to which it belongs. */
  key: string;
  /** Groups of the list before, which are shown until those of this one are read. */
  stale: unknown;
  known: readonly string[];
};

export type StableOrder<Group> = {
  groups: readonly Group[] | undefined;
  /** Whether the server has another order by now. */
  isOutdated: boolean;
  /** Take the order of the server. */
  renew: () => void;
};

/** @param key names the list; another one has an order of its own. */
export function useStableOrder<Group extends { id: string }>(
  key: string,
  groups: readonly Group[] | undefined,
): StableOrder<Group> {
  const [stored, store] = useState<Stored>({ key, stale: undefined, known: [] });
  const isNew = stored.key !== key;
  if (isNew) store({ key, stale: groups, known: [] });
  const renew = (): void => store({ key, stale: undefined, known: [] });
  if (!groups || isNew || groups === stored.stale) return { groups, isOutdated: false, renew };
  const known = withNew(stored.known, groups);
  if (known !== stored.known) store({ key, stale: undefined, known });
  const arranged = arrange(known, groups);
  return { groups: arranged, isOutdated: arranged.some((group, place) => group !== groups[place]), renew };
}
