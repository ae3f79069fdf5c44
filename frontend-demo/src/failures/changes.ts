/** What can be done to all failures of a group, or to all that match the filter. No I/O. */
import type { FailureFilter } from '../generated';
import { counted } from '../ui/counted';
import { serverFilter } from './filter';
import type { FailuresFilter } from './filter';
import type { Group } from './useFailureGroups';

export type PossibleFailuresOffer = {
  possible: true;
  filter: FailureFilter;
  /** How many failures match, and how many of them have a job to retry; null if more than the loaded ones match. */
  count: number | null;
  retryable: number | null;
};

export type FailuresOffer = PossibleFailuresOffer | { possible: false; reason: string };

/** The failures of a group that match the filter of the page. */
export function offerOfGroup(group: Group, filter: FailuresFilter): FailuresOffer {
  const { functionName, fingerprint, owner, count, retryableCount: retryable } = group;
  if (fingerprint === null) return { possible: false, reason: 'These failures are older than groups: change them one by one.' };
  if (owner === null) return { possible: false, reason: 'Failures of the system are changed one by one.' };
  return { possible: true, filter: { ...serverFilter(filter), functionName, fingerprint, owner }, count, retryable };
}

/** @param groups all that match; null if they are not all loaded. */
export function offerOfAll(filter: FailuresFilter, isAdmin: boolean, groups: readonly Group[] | null): FailuresOffer {
  if (isAdmin && filter.owner === '') {
    return { possible: false, reason: 'To change all failures of a user at once, filter by owner.' };
  }
  const sum = (of: (group: Group) => number) => groups?.reduce((total, group) => total + of(group), 0) ?? null;
  const [count, retryable] = [sum((group) => group.count), sum((group) => group.retryableCount)];
  return { possible: true, filter: serverFilter(filter), count, retryable };
}

export type Change = 'Retry' | 'Resolve';

export type Choice = {
  label: string;
  title: string;
  description: string;
  /** The text of the button that confirms it. */
  confirm: string;
};

const NO_JOB = 'A function recorded the others itself: they have no failed job that could be retried.';

/** Return why failures cannot be retried, if some or all of them cannot. */
export function noRetryReason({ count, retryable }: Pick<PossibleFailuresOffer, 'count' | 'retryable'>): string | null {
  if (count === null || retryable === null || retryable === count) return null;
  if (retryable === 0) return 'Recorded by a function: no job failed, so there is nothing to retry.';
  const others = count - retryable;
  const [were, they] = others === 1 ? ['was', 'it has'] : ['were', 'they have'];
  return `${others.toLocaleString()} of ${count.toLocaleString()} ${were} recorded by a function, so ${they} no failed job to retry.`;
}

/**
 * Return how a change is offered; null if it would change nothing.
 * @param of the function of a group; empty for all that match.
 */
export function choiceOf(change: Change, { count, retryable }: PossibleFailuresOffer, of: string): Choice | null {
  const changed = change === 'Retry' ? retryable : count;
  if (changed === 0) return null;
  const isPart = changed !== null && changed !== count;
  const part = isPart ? `${changed.toLocaleString()} of ` : '';
  const noun = of ? 'failure' : 'matching failure';
  const failures = count === null ? 'all matching failures' : `${part}${counted(count, noun)}`;
  const notes = [
    isPart ? NO_JOB : '',
    changed === 1 ? 'Later failures are not changed.' : 'Those that match now; later failures are not changed.',
    'It runs in the background, and can be stopped.',
  ];
  return {
    label: isPart ? `${change} ${part}${count?.toLocaleString()}` : change,
    title: `${change} ${failures}${of && ` of ${of}`}?`,
    description: notes.filter(Boolean).join(' '),
    confirm: `${change} ${changed === 1 ? 'it' : 'them'}`,
  };
}
