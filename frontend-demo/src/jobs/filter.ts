/** Which jobs the page shows. The filter is in the address, so that a view can be shared. */
import { isInstant, readAddress, writeAddress } from '../filter/address';
import type { ActiveFilter } from '../filter/ActiveFilters';
import type { Checks } from '../filter/address';
import type { CauseKind, JobFilter, JobState } from '../generated';
import { formatExact } from '../time/format';
import { JOB_STATES } from './states';

/** All values are texts; an empty one does not filter. */
export type JobsFilter = {
  state: JobState | '';
  function: string;
  queue: string;
  owner: string;
  /** Several are separated by spaces. */
  tag: string;
  cause: CauseKind | '';
  key: string;
  /** Created at this instant or later, in ISO 8601. */
  from: string;
  /** Created before this instant. */
  to: string;
  /** Only the jobs of the tree of this one, by its id. */
  root: string;
  /** A part of the arguments, searched in the loaded jobs: the server cannot. */
  args: string;
};

export const NO_FILTER: JobsFilter = {
  state: '',
  function: '',
  queue: '',
  owner: '',
  tag: '',
  cause: '',
  key: '',
  from: '',
  to: '',
  root: '',
  args: '',
};

export type FilterName = keyof JobsFilter;

export const FILTER_NAMES = Object.keys(NO_FILTER) as readonly FilterName[];

export const CAUSES: readonly CauseKind[] = ['API', 'CRON', 'RECURRING', 'BATCH', 'REQUEST', 'JOB', 'APPLICATION'];

const CHECKS: Checks<FilterName> = {
  state: (text) => (JOB_STATES as readonly string[]).includes(text),
  cause: (text) => (CAUSES as readonly string[]).includes(text),
  from: isInstant,
  to: isInstant,
};

export function readFilter(address: URLSearchParams): JobsFilter {
  return readAddress(FILTER_NAMES, CHECKS, address) as JobsFilter;
}

export function writeFilter(filter: JobsFilter): URLSearchParams {
  return writeAddress(FILTER_NAMES, filter);
}

/** Return the address of the jobs that match a filter. */
export function jobsPath(filter: Partial<JobsFilter>): string {
  return `/jobs?${writeFilter({ ...NO_FILTER, ...filter }).toString()}`;
}

/** Return what the server filters by; undefined for all jobs. */
export function serverFilter(filter: JobsFilter): JobFilter | undefined {
  const tags = filter.tag.split(/\s+/).filter(Boolean);
  const which: JobFilter = {
    ...(filter.state && { states: [filter.state] }),
    ...(filter.function && { functionName: filter.function }),
    ...(filter.queue && { queue: filter.queue }),
    ...(filter.owner && { owner: filter.owner }),
    ...(tags.length > 0 && { tags }),
    ...(filter.cause && { cause: filter.cause }),
    ...(filter.key && { key: filter.key }),
    ...(filter.from && { createdFrom: new Date(filter.from).toISOString() }),
    ...(filter.to && { createdTo: new Date(filter.to).toISOString() }),
    ...(filter.root && { rootId: filter.root, internal: null }),
  };
  return Object.keys(which).length > 0 ? which : undefined;
}

const LABELS: Partial<Record<FilterName, string>> = {
  from: 'created from',
  to: 'created before',
  root: 'in the tree of',
  args: 'arguments',
};

function valueText(filter: JobsFilter, name: FilterName): string {
  if (name === 'from' || name === 'to') return formatExact(Date.parse(filter[name]));
  return name === 'cause' ? filter.cause.toLowerCase() : filter[name];
}

/** Return the values that are set, except the state, which has chips of its own. */
export function activeFilters(filter: JobsFilter): ActiveFilter<FilterName>[] {
  return FILTER_NAMES.filter((name) => name !== 'state' && filter[name] !== '').map((name) => ({
    name,
    label: LABELS[name] ?? name,
    value: valueText(filter, name),
  }));
}
