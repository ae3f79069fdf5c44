/** The groups of failures that match a filter: read again when a failure is added, retried or resolved. */
import { FailureGroupsDocument, FailuresChangedDocument } from '../generated';
import type { FailureGroupRowFragment, FailureGroupsQuery } from '../generated';
import { useChanges } from '../ui/useChanges';
import { usePolledQuery } from '../ui/usePolledQuery';
import type { Polled } from '../ui/usePolledQuery';
import { serverFilter } from './filter';
import type { FailuresFilter } from './filter';

export type Group = FailureGroupRowFragment;

const PAGE = 50;

/** @param after the end of the previous page; null for the first one. */
export function useFailureGroups(filter: FailuresFilter, after: string | null): Polled<FailureGroupsQuery> {
  const which = serverFilter(filter);
  const changes = useChanges(FailuresChangedDocument, { filter: { ...which, states: null } });
  return usePolledQuery(FailureGroupsDocument, { filter: which, first: PAGE, after }, changes);
}
