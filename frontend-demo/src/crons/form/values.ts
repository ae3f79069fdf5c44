/** Reads the form of a cron. */
import type { FormIssues } from '../../form/issues';
import { NOT_A_DURATION, Problem, isIssue, readAll, readDuration, readFunction, text } from '../../form/read';
import type { CatchUpPolicy, FoldPolicy, GapPolicy, OverlapPolicy } from '../../generated';
import { fromLocal } from '../../time/local';
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

/** The controls that decide together when a cron ticks. */
const TIMING = [
  ...['kind', 'intervalMs', 'cronspec', 'tz', 'onGap', 'onFold', 'startAt', 'endAt'],
  ...['exclusions', 'weekday', 'calendar'],
];

/** Return the fields whose issues a change of this control can remove: a schedule without ticks may be changed in several places. */
export function fieldsWith(control: string): readonly string[] {
  return TIMING.includes(control) ? TIMING : [control];
}

const NOT_A_NUMBER = new Problem('Enter a whole number, or nothing.');

function readSchedule(values: FormData): EnteredSchedule | Problem {
  if (values.get('kind') !== 'interval') {
    return {
      cronspec: text(values, 'cronspec'),
      tz: text(values, 'tz'),
      onGap: text(values, 'onGap') as GapPolicy,
      onFold: text(values, 'onFold') as FoldPolicy,
    };
  }
  const intervalMs = readDuration(values, 'intervalMs') ?? NOT_A_DURATION;
  return intervalMs instanceof Problem ? intervalMs : { intervalMs };
}

/** Read everything, or the issues of all fields that cannot be read. A schedule can be previewed before it has a name. */
export function readCron(values: FormData): EnteredCron | FormIssues {
  const read = readAll({
    intervalMs: readSchedule(values),
    args: readFunction(values),
    exclusions: readExclusions(values),
    jitterMs: readDuration(values, 'jitterMs'),
    catchUpWindowMs: readDuration(values, 'catchUpWindowMs'),
    maxRuns: readCount(values, 'maxRuns'),
    pauseAfterFailures: readCount(values, 'pauseAfterFailures'),
  });
  if (isIssue(read)) return read;
  const { intervalMs: schedule, args: chosen, exclusions, jitterMs, ...limits } = read;
  const policies = {
    overlap: text(values, 'overlap') as OverlapPolicy,
    catchUp: text(values, 'catchUp') as CatchUpPolicy,
    jitterMs: jitterMs ?? 0,
    ...limits,
    startAt: readInstant(values, 'startAt'),
    endAt: readInstant(values, 'endAt'),
  };
  return { name: text(values, 'name'), ...chosen, schedule, policies, exclusions };
}

/** Read what is sent; it must have a name. */
export function readNamedCron(values: FormData): EnteredCron | FormIssues {
  const read = readCron(values);
  if (text(values, 'name') !== '') return read;
  return { fields: new Map([['name', ['must not be empty']], ...(isIssue(read) ? read.fields : [])]), form: [] };
}

/** An empty field is null. */
function readCount(values: FormData, name: string): number | null | Problem {
  const entered = text(values, name);
  if (entered === '') return null;
  return /^\d{1,9}$/.test(entered) ? Number(entered) : NOT_A_NUMBER;
}

/** The value of a `datetime-local` field; null if it is empty. */
export function readInstant(values: FormData, name: string): string | null {
  return fromLocal(text(values, name)) || null;
}
