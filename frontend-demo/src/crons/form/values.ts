/** Reads the form of a cron. */
import { INVALID_JSON_MESSAGE, readFunction } from '../../form/FunctionFields';
import { fieldIssue } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import type { CatchUpPolicy, FoldPolicy, GapPolicy, OverlapPolicy } from '../../generated';
import { fromLocal } from '../../time/local';
import { parseDuration } from '../../time/parseDuration';
import { readExclusions } from './exclusions';
import type { EnteredExclusions } from './exclusions';

/** What a user has entered for a schedule. */
export type EnteredSchedule =
  | { intervalMs: number }
  | { cronspec: string; tz: string; onGap: GapPolicy; onFold: FoldPolicy };

export type EnteredPolicies = {
  overlap: OverlapPolicy;
  catchUp: CatchUpPolicy;
  jitterMs: number;
  catchUpWindowMs: number | null;
  maxRuns: number | null;
  pauseAfterFailures: number | null;
  startAt: string | null;
  endAt: string | null;
};

export type EnteredCron = {
  name: string;
  functionName: string;
  args: unknown;
  schedule: EnteredSchedule;
  policies: EnteredPolicies;
  exclusions: EnteredExclusions;
};

/** The names of the form's fields, which show the issues of the server. */
export const FIELDS = [
  ...['name', 'intervalMs', 'cronspec', 'tz', 'onGap', 'onFold', 'functionName', 'args', 'exclusions'],
  ...['overlap', 'catchUp', 'catchUpWindowMs', 'jitterMs', 'maxRuns', 'pauseAfterFailures', 'startAt', 'endAt'],
];

/** How the form names the fields of a schedule; the others are named where they are. */
export const LABELS: Readonly<Record<string, string>> = { intervalMs: 'Interval', cronspec: 'Cronspec', tz: 'Time zone' };

export const INVALID_DURATION = 'Enter a duration, such as "every 5 minutes", "90 s" or 5000 (milliseconds).';
const INVALID_NUMBER = 'Enter a whole number, or nothing.';

/** `invalid`: the interval is not a duration. The server checks the rest. */
export function readSchedule(values: FormData): EnteredSchedule | 'invalid' {
  if (values.get('kind') !== 'interval') {
    return {
      cronspec: text(values, 'cronspec'),
      tz: text(values, 'tz'),
      onGap: text(values, 'onGap') as GapPolicy,
      onFold: text(values, 'onFold') as FoldPolicy,
    };
  }
  const intervalMs = parseDuration(text(values, 'intervalMs'));
  return intervalMs === null ? 'invalid' : { intervalMs };
}

/** Read the policies, or the issue of the first field that cannot be read. */
function readPolicies(values: FormData): EnteredPolicies | FormIssues {
  const jitterMs = parseDuration(text(values, 'jitterMs') || '0');
  const catchUpWindowMs = parseDuration(text(values, 'catchUpWindowMs'));
  if (jitterMs === null) return fieldIssue('jitterMs', INVALID_DURATION);
  if (catchUpWindowMs === null && text(values, 'catchUpWindowMs') !== '') {
    return fieldIssue('catchUpWindowMs', INVALID_DURATION);
  }
  const [maxRuns, pauseAfterFailures] = [readCount(values, 'maxRuns'), readCount(values, 'pauseAfterFailures')];
  if (maxRuns === 'invalid') return fieldIssue('maxRuns', INVALID_NUMBER);
  if (pauseAfterFailures === 'invalid') return fieldIssue('pauseAfterFailures', INVALID_NUMBER);
  return {
    overlap: text(values, 'overlap') as OverlapPolicy,
    catchUp: text(values, 'catchUp') as CatchUpPolicy,
    jitterMs,
    catchUpWindowMs,
    maxRuns,
    pauseAfterFailures,
    startAt: readInstant(values, 'startAt'),
    endAt: readInstant(values, 'endAt'),
  };
}

export function isIssue(read: object): read is FormIssues {
  return 'fields' in read && 'form' in read;
}

/** Read everything, or the issue of the first field that cannot be read. */
export function readCron(values: FormData): EnteredCron | FormIssues {
  const chosen = readFunction(values);
  if (!chosen) return fieldIssue('args', INVALID_JSON_MESSAGE);
  const schedule = readSchedule(values);
  if (schedule === 'invalid') return fieldIssue('intervalMs', INVALID_DURATION);
  const policies = readPolicies(values);
  if (isIssue(policies)) return policies;
  const exclusions = readExclusions(values);
  if (typeof exclusions === 'string') return fieldIssue('exclusions', exclusions);
  return { name: text(values, 'name'), ...chosen, schedule, policies, exclusions };
}

export function text(values: FormData, name: string): string {
  return String(values.get(name) ?? '').trim();
}

/** An empty field is null. */
function readCount(values: FormData, name: string): number | null | 'invalid' {
  const entered = text(values, name);
  if (entered === '') return null;
  return /^\d{1,9}$/.test(entered) ? Number(entered) : 'invalid';
}

/** The value of a `datetime-local` field; null if it is empty. */
export function readInstant(values: FormData, name: string): string | null {
  return fromLocal(text(values, name)) || null;
}
