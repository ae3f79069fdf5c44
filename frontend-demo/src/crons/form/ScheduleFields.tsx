/** The fields of a cron's schedule: an interval, or a cronspec with a time zone. */
import { useState } from 'react';
import { Field } from '../../form/Field';
import type { FormIssues } from '../../form/issues';
import { formatDuration } from '../../time/format';
import { SuggestInput } from '../../ui/SuggestInput';
import type { ScheduleInput } from '../describeSchedule';
import { ClockFields, USUAL } from './ClockFields';
import type { ClockRules } from './ClockFields';

type ScheduleKind = 'interval' | 'cronspec';

const KINDS: readonly { kind: ScheduleKind; label: string }[] = [
  { kind: 'interval', label: 'Interval' },
  { kind: 'cronspec', label: 'Cronspec' },
];
const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone')];

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

type Initial = Exclude<ScheduleInput, { cronspec: string }> | (Extract<ScheduleInput, { cronspec: string }> & ClockRules);

type ScheduleFieldsProps = {
  issues: FormIssues;
  /** The schedule of an existing cron. */
  initial?: Initial;
};

export function ScheduleFields({ issues, initial }: ScheduleFieldsProps) {
  const cronspec = initial?.__typename === 'CronSchedule' ? initial : undefined;
  const [kind, setKind] = useState<ScheduleKind>(cronspec ? 'cronspec' : 'interval');
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const interval = initial?.__typename === 'IntervalSchedule' ? formatDuration(initial.ms) : '5 s';
  return (
    <>
      <KindChoice kind={kind} onSelect={setKind} />
      {kind === 'interval' ? (
        <Field name="intervalMs" label="Interval" hint="such as: every 5 minutes, 90 s" issues={issues}>
          {(control) => <input {...control} autoComplete="off" defaultValue={interval} />}
        </Field>
      ) : (
        <div className="pair">
          <Field name="cronspec" label="Cronspec" hint="minute hour day month weekday" issues={issues}>
            {(control) => <input {...control} className="code" defaultValue={cronspec?.cronspec ?? '*/5 * * * *'} />}
          </Field>
          <Field name="tz" label="Time zone" hint="such as Europe/Berlin" issues={issues}>
            {(control) => <SuggestInput control={control} options={ZONES} defaultValue={cronspec?.tz ?? zone} />}
          </Field>
          <ClockFields issues={issues} initial={cronspec ?? USUAL} />
        </div>
      )}
    </>
  );
}
