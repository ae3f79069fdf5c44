/** Which jobs the page shows. The filter is in the address, so that a view can be shared. */
import type { CauseKind, JobFilter, JobState } from '../generated';
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

/** Values of another form are ignored: the address may come from anywhere. */
const VALID: Partial<Record<FilterName, (text: string) => boolean>> = {
  state: (text) => (JOB_STATES as readonly string[]).includes(text),
  cause: (text) => (CAUSES as readonly string[]).includes(text),
  from: isInstant,
  to: isInstant,
};

function isInstant(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

export function readFilter(address: URLSearchParams): JobsFilter {
  const entries = FILTER_NAMES.map((name) => {
    const text = address.get(name)?.trim() ?? '';
    return [name, VALID[name]?.(text) === false ? '' : text];
  });
  return Object.fromEntries(entries) as JobsFilter;
}

/** Return the part of the address for a filter, without empty values. */
export function writeFilter(filter: JobsFilter): URLSearchParams {
  const set = FILTER_NAMES.filter((name) => filter[name] !== '');
  return new URLSearchParams(set.map((name) => [name, filter[name]]));
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

/** Return the names of the values that are set, except the state, which has chips of its own. */
export function namesSet(filter: JobsFilter): FilterName[] {
  return FILTER_NAMES.filter((name) => name !== 'state' && filter[name] !== '');
}
