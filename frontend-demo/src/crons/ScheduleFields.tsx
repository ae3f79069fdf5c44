/** The fields of a cron's schedule: an interval, or a cronspec with a time zone. */
import { useState } from 'react';
import { Field } from '../form/Field';
import type { FormIssues } from '../form/issues';

export type ScheduleKind = 'interval' | 'cronspec';

const KINDS: readonly { kind: ScheduleKind; label: string }[] = [
  { kind: 'interval', label: 'Interval' },
  { kind: 'cronspec', label: 'Cronspec' },
];

function KindChoice({ kind, onSelect }: { kind: ScheduleKind; onSelect: (kind: ScheduleKind) => void }) {
  return (
    <fieldset className="segments">
      <legend>Schedule</legend>
      {KINDS.map((option) => (
        <label key={option.kind}>
          <input
            type="radio"
            name="kind"
            value={option.kind}
            checked={kind === option.kind}
            onChange={() => onSelect(option.kind)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function ScheduleFields({ issues }: { issues: FormIssues }) {
  const [kind, setKind] = useState<ScheduleKind>('interval');
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <KindChoice kind={kind} onSelect={setKind} />
      {kind === 'interval' ? (
        <Field name="intervalMs" label="Interval (ms)" hint="1000 or more" issues={issues}>
          {(control) => <input {...control} inputMode="numeric" defaultValue="5000" />}
        </Field>
      ) : (
        <div className="pair">
          <Field name="cronspec" label="Cronspec" hint="minute hour day month weekday" issues={issues}>
            {(control) => <input {...control} className="code" defaultValue="*/5 * * * *" />}
          </Field>
          <Field name="tz" label="Time zone" hint="such as Europe/Berlin" issues={issues}>
            {(control) => <input {...control} defaultValue={zone} />}
          </Field>
        </div>
      )}
    </>
  );
}
