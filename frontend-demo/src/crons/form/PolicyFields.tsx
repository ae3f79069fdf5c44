/** The fields for a cron's overlap, catch-up, jitter, start and end. */
import type { ReactNode } from 'react';
import { Field } from '../../form/Field';
import type { FormIssues } from '../../form/issues';
import { toLocalInput } from '../../jobs/RescheduleForm';
import { formatDuration } from '../../time/format';
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
  startAt: null,
  endAt: null,
};

function Options({ options }: { options: readonly (readonly [string, string])[] }): ReactNode {
  return options.map(([value, label]) => (
    <option key={value} value={value}>
      {label}
    </option>
  ));
}

/** Open if a policy differs from the defaults. */
export function PolicyFields({ issues, initial }: { issues: FormIssues; initial: EnteredPolicies }) {
  const instant = (at: string | null): string => (at === null ? '' : toLocalInput(at));
  const isOpen = JSON.stringify(initial) !== JSON.stringify(NO_POLICIES);
  return (
    <details className="more" open={isOpen}>
      <summary>Overlap, catch-up, jitter, start and end</summary>
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
        <Field name="jitterMs" label="Jitter" hint="a random delay of each run, up to this" issues={issues}>
          {(control) => <input {...control} autoComplete="off" defaultValue={formatDuration(initial.jitterMs)} />}
        </Field>
        <span />
        <Field name="startAt" label="Start" hint="no ticks before it" issues={issues}>
          {(control) => <input {...control} type="datetime-local" step="1" defaultValue={instant(initial.startAt)} />}
        </Field>
        <Field name="endAt" label="End" hint="no ticks from then on" issues={issues}>
          {(control) => <input {...control} type="datetime-local" step="1" defaultValue={instant(initial.endAt)} />}
        </Field>
      </div>
    </details>
  );
}
