/** Reads the form of a cron. */
import type { OverlapPolicy, CatchUpPolicy } from '../../generated';
import { parseDuration } from '../../time/parseDuration';

/** What a user has entered for a schedule; null if it is not complete. */
export type EnteredSchedule = { intervalMs: number } | { cronspec: string; tz: string };

export const INVALID_DURATION = 'Enter a duration, such as "every 5 minutes", "90 s" or 5000 (milliseconds).';

/** `invalid`: the interval is not a duration. The server checks the rest. */
export function readSchedule(values: FormData): EnteredSchedule | 'invalid' {
  if (values.get('kind') !== 'interval') {
    return { cronspec: text(values, 'cronspec'), tz: text(values, 'tz') };
  }
  const intervalMs = parseDuration(text(values, 'intervalMs'));
  return intervalMs === null ? 'invalid' : { intervalMs };
}

export type EnteredPolicies = {
  overlap: OverlapPolicy;
  catchUp: CatchUpPolicy;
  jitterMs: number;
  startAt: string | null;
  endAt: string | null;
};

export function readPolicies(values: FormData): EnteredPolicies | 'invalid' {
  const jitterMs = parseDuration(text(values, 'jitterMs') || '0');
  if (jitterMs === null) return 'invalid';
  return {
    overlap: text(values, 'overlap') as OverlapPolicy,
    catchUp: text(values, 'catchUp') as CatchUpPolicy,
    jitterMs,
    startAt: readInstant(values, 'startAt'),
    endAt: readInstant(values, 'endAt'),
  };
}

export function text(values: FormData, name: string): string {
  return String(values.get(name) ?? '').trim();
}

/** The value of a `datetime-local` field; null if it is empty. */
function readInstant(values: FormData, name: string): string | null {
  const at = new Date(text(values, name));
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
