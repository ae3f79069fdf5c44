/** The fields for the days on which a cron does not run. */
import { useQuery } from 'urql';
import { Field } from '../../form/Field';
import type { FormIssues } from '../../form/issues';
import { CalendarsDocument } from '../../generated';
import { NO_EXCLUSIONS, WEEKDAYS, formatDays } from './exclusions';
import type { EnteredExclusions } from './exclusions';
import { Options } from '../../form/Options';

type ExclusionFieldsProps = { issues: FormIssues; initial: EnteredExclusions };

function WeekdayChoice({ initial }: { initial: EnteredExclusions }) {
  return (
    <fieldset className="segments many">
      <legend>No runs on these weekdays</legend>
      {WEEKDAYS.map(({ day, label }) => (
        <label key={day}>
          <input type="checkbox" name="weekday" value={day} defaultChecked={initial.weekdays.includes(day)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** A calendar that is not loaded yet can be kept. */
function CalendarChoice({ issues, initial }: ExclusionFieldsProps) {
  const [{ data }] = useQuery({ query: CalendarsDocument, variables: {}, requestPolicy: 'network-only' });
  const names = new Set([...(initial.calendar ? [initial.calendar] : []), ...(data?.calendars ?? []).map(({ name }) => name)]);
  return (
    <Field name="calendar" label="Calendar" hint="its days are excluded, too; admins keep calendars" issues={issues}>
      {(control) => (
        <select {...control} defaultValue={initial.calendar ?? ''}>
          <Options options={[['', 'none'], ...[...names].map((name) => [name, name] as const)]} />
        </select>
      )}
    </Field>
  );
}

/** Open if there are exclusions. */
export function ExclusionFields({ issues, initial }: ExclusionFieldsProps) {
  return (
    <details className="more" open={JSON.stringify(initial) !== JSON.stringify(NO_EXCLUSIONS)}>
      <summary>Days without runs</summary>
      <div className="more-fields">
        <WeekdayChoice initial={initial} />
        <div className="pair">
          <Field name="exclusions" label="Days and ranges" hint="such as 2030-12-24, 2030-12-27 to 2031-01-01" issues={issues}>
            {(control) => <input {...control} autoComplete="off" spellCheck={false} defaultValue={formatDays(initial)} />}
          </Field>
          <CalendarChoice issues={issues} initial={initial} />
        </div>
      </div>
    </details>
  );
}
