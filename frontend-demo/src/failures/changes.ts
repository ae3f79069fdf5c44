/** What can be done to all failures of a group, or to all that match the filter. No I/O. */
import type { FailureFilter } from '../generated';
import { serverFilter } from './filter';
import type { FailuresFilter } from './filter';
import type { Group } from './useFailureGroups';

export type FailuresOffer = { possible: true; filter: FailureFilter } | { possible: false; reason: string };

/** The failures of a group that match the filter of the page. */
export function offerOfGroup({ functionName, fingerprint, owner }: Group, filter: FailuresFilter): FailuresOffer {
  if (fingerprint === null) return { possible: false, reason: 'These failures are older than groups: change them one by one.' };
  if (owner === null) return { possible: false, reason: 'Failures of the system are changed one by one.' };
  return { possible: true, filter: { ...serverFilter(filter), functionName, fingerprint, owner } };
}

export function offerOfAll(filter: FailuresFilter, isAdmin: boolean): FailuresOffer {
  if (isAdmin && filter.owner === '') {
    return { possible: false, reason: 'To change all failures of a user at once, filter by owner.' };
  }
  return { possible: true, filter: serverFilter(filter) };
}
