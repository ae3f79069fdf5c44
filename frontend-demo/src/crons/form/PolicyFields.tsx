/** The fields for what a cron does with overlapping, missed and failed runs, and for when it starts and ends. */
import { Field } from '../../form/Field';
import type { FormIssues } from '../../form/issues';
import { formatDuration } from '../../time/format';
import { toLocal } from '../../time/local';
import { Options } from '../../form/Options';
import type { EnteredPolicies } from './values';

const OVERLAPS: readonly (readonly [EnteredPolicies['overlap'], string])[] = [
  ['SKIP', 'skip the tick'],
  ['QUEUE', 'run after it'],
  ['ALLOW', 'run beside it'],
];
const CATCH_UPS: readonly (readonly [EnteredPolicies['catchUp'], string])[] = [
  ['LATEST', 'run the latest'],
  ['SKIP', 'run none'],
  ['ALL', 'run all, up to the newest 500'],
];

export const NO_POLICIES: EnteredPolicies = {
  overlap: 'SKIP',
  catchUp: 'LATEST',
  jitterMs: 0,
  catchUpWindowMs: null,
  maxRuns: null,
  pauseAfterFailures: null,
  startAt: null,
  endAt: null,
};

type TextField = { name: keyof EnteredPolicies; label: string; hint: string; value: (policies: EnteredPolicies) => string };

function duration(ms: number | null): string {
  return ms === null ? '' : formatDuration(ms);
}

const TEXTS: readonly TextField[] = [
  {
    name: 'catchUpWindowMs',
    label: 'Catch-up window',
    hint: 'ticks that are later than this are missed; empty: no limit',
    value: ({ catchUpWindowMs }) => duration(catchUpWindowMs),
  },
  { name: 'jitterMs', label: 'Jitter', hint: 'a random delay of each run, up to this', value: ({ jitterMs }) => duration(jitterMs) },
  { name: 'maxRuns', label: 'Maximum number of runs', hint: 'then it is paused', value: ({ maxRuns }) => String(maxRuns ?? '') },
  {
    name: 'pauseAfterFailures',
    label: 'Pause after failures',
    hint: 'so many failed runs in a row',
    value: ({ pauseAfterFailures }) => String(pauseAfterFailures ?? ''),
  },
];

const TIMES: readonly { name: 'startAt' | 'endAt'; label: string; hint: string }[] = [
  { name: 'startAt', label: 'Start', hint: 'no ticks before it' },
  { name: 'endAt', label: 'End', hint: 'no ticks from then on' },
];

/** Open if a policy differs from the defaults. */
export function PolicyFields({ issues, initial }: { issues: FormIssues; initial: EnteredPolicies }) {
  const isOpen = JSON.stringify(initial) !== JSON.stringify(NO_POLICIES);
  return (
    <details className="more" open={isOpen}>
      <summary>Overlap, catch-up, limits, start and end</summary>
      <div className="pair">
        <Field name="overlap" label="While the previous run has not ended" issues={issues}>
          {(control) => (
            <select {...control} defaultValue={initial.overlap}>
              <Options options={OVERLAPS} />
            </select>
          )}
        </Field>
        <Field name="catchUp" label="Ticks missed while no worker ran" issues={issues}>
          {(control) => (
            <select {...control} defaultValue={initial.catchUp}>
              <Options options={CATCH_UPS} />
            </select>
          )}
        </Field>
        {TEXTS.map(({ name, label, hint, value }) => (
          <Field key={name} name={name} label={label} hint={hint} issues={issues}>
            {(control) => <input {...control} autoComplete="off" defaultValue={value(initial)} />}
          </Field>
        ))}
        {TIMES.map(({ name, label, hint }) => (
          <Field key={name} name={name} label={label} hint={hint} issues={issues}>
            {(control) => (
              <input {...control} type="datetime-local" step="1" defaultValue={toLocal(initial[name] ?? '')} />
            )}
          </Field>
        ))}
      </div>
    </details>
  );
}
