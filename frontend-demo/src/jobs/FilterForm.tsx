/** The form with everything that jobs can be filtered by, except the state. */
import { useState } from 'react';
import { useSession } from '../app/session';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { NO_ISSUES } from '../form/issues';
import { fromLocal, toLocal } from '../time/local';
import { SearchSelect } from '../ui/SearchSelect';
import { CAUSES } from './filter';
import type { FilterName, JobsFilter } from './filter';

type FilterFormProps = { filter: JobsFilter; onChange: (filter: JobsFilter) => void; onClose: () => void };

const TEXTS: readonly { name: FilterName; label: string; hint?: string; admin?: boolean }[] = [
  { name: 'queue', label: 'Queue' },
  { name: 'tag', label: 'Tags', hint: 'Separated by spaces; a job must have all of them' },
  { name: 'key', label: 'Key', hint: 'The key with which the job was scheduled' },
  { name: 'owner', label: 'Owner', admin: true },
];

const TIMES: readonly { name: 'from' | 'to'; label: string }[] = [
  { name: 'from', label: 'Created from' },
  { name: 'to', label: 'Created before' },
];

function read(values: FormData, before: JobsFilter): JobsFilter {
  const text = (name: string): string => String(values.get(name) ?? '').trim();
  const times = { from: fromLocal(text('from')), to: fromLocal(text('to')) };
  const texts = Object.fromEntries(TEXTS.map(({ name }) => [name, text(name)]));
  return { ...before, ...texts, ...times, function: text('function'), cause: text('cause') as JobsFilter['cause'] };
}

export function FilterForm({ filter, onChange, onClose }: FilterFormProps) {
  const { viewer } = useSession();
  const [name, setName] = useState(filter.function);
  const names = new Set([...(viewer.functions ?? []).map((each) => each.name), ...(name ? [name] : [])]);
  const submit = (values: FormData): void => {
    onChange(read(values, filter));
    onClose();
  };
  return (
    <FormFrame
      label="Filter jobs"
      action="Show jobs"
      sending={false}
      issues={NO_ISSUES}
      onSubmit={submit}
      onCancel={onClose}
    >
      <Field name="function" label="Function" issues={NO_ISSUES}>
        {(control) => (
          <SearchSelect control={control} options={[...names].sort()} value={name} onChange={setName} placeholder="Any" />
        )}
      </Field>
      {TEXTS.filter(({ admin }) => !admin || viewer.isAdmin).map(({ name: text, label, hint }) => (
        <Field key={text} name={text} label={label} issues={NO_ISSUES} {...(hint && { hint })}>
          {(control) => <input {...control} defaultValue={filter[text]} spellCheck={false} />}
        </Field>
      ))}
      <Field name="cause" label="Cause" issues={NO_ISSUES}>
        {(control) => (
          <select {...control} defaultValue={filter.cause}>
            <option value="">Any</option>
            {CAUSES.map((cause) => (
              <option key={cause} value={cause}>
                {cause.toLowerCase()}
              </option>
            ))}
          </select>
        )}
      </Field>
      {TIMES.map(({ name: time, label }) => (
        <Field key={time} name={time} label={label} issues={NO_ISSUES}>
          {(control) => <input {...control} type="datetime-local" step="1" defaultValue={toLocal(filter[time])} />}
        </Field>
      ))}
    </FormFrame>
  );
}
