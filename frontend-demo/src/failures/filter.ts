/** Which failures the page shows. The filter is in the address, so that a view can be shared. No I/O. */
import { isInstant, readAddress, writeAddress } from '../filter/address';
import type { ActiveFilter } from '../filter/ActiveFilters';
import type { Checks, TextFilter } from '../filter/address';
import type { FailureFilter } from '../generated';
import { errorText } from '../jobs/errorText';
import { formatExact } from '../time/format';

const NAMES = ['state', 'function', 'fingerprint', 'owner', 'from', 'to'] as const;

export type FilterName = (typeof NAMES)[number];
/** The state is `RESOLVED`, or empty for open failures. */
export type FailuresFilter = TextFilter<FilterName>;

const CHECKS: Checks<FilterName> = {
  state: (text) => text === 'RESOLVED',
  fingerprint: (text) => /^[0-9a-f]{24}$/.test(text),
  from: isInstant,
  to: isInstant,
};

export function readFilter(address: URLSearchParams): FailuresFilter {
  return readAddress(NAMES, CHECKS, address);
}

export const NO_FILTER: FailuresFilter = readFilter(new URLSearchParams());

export function writeFilter(filter: FailuresFilter): URLSearchParams {
  return writeAddress(NAMES, filter);
}

export function serverFilter(filter: FailuresFilter): FailureFilter {
  return {
    ...(filter.state && { states: ['RESOLVED' as const] }),
    ...(filter.function && { functionName: filter.function }),
    ...(filter.fingerprint && { fingerprint: filter.fingerprint }),
    ...(filter.owner && { owner: filter.owner }),
    ...(filter.from && { failedFrom: new Date(filter.from).toISOString() }),
    ...(filter.to && { failedTo: new Date(filter.to).toISOString() }),
  };
}

const LABELS: Record<FilterName, string> = {
  state: 'state',
  function: 'function',
  fingerprint: 'similar to',
  owner: 'owner',
  from: 'failed from',
  to: 'failed before',
};

/** A group as far as it tells what its fingerprint stands for. */
type Fingerprinted = { fingerprint: string | null; errorName: string; message: string };

/** Return a fingerprint in words, which only a group with it has. */
function fingerprintText(fingerprint: string, groups: readonly Fingerprinted[] | undefined): string {
  const found = groups?.find((group) => group.fingerprint === fingerprint);
  if (found) return errorText({ name: found.errorName, message: found.message });
  return groups ? 'an error that is not in this list' : 'one error';
}

/**
 * Return the values that are set, except the state, which has buttons of its own.
 * @param groups those on the page.
 */
export function activeFilters(filter: FailuresFilter, groups?: readonly Fingerprinted[]): ActiveFilter<FilterName>[] {
  const valueOf = (name: FilterName): string => {
    if (name === 'fingerprint') return fingerprintText(filter.fingerprint, groups);
    return name === 'from' || name === 'to' ? formatExact(Date.parse(filter[name])) : filter[name];
  };
  return NAMES.filter((name) => name !== 'state' && filter[name] !== '').map((name) => ({
    name,
    label: LABELS[name],
    value: valueOf(name),
  }));
}
