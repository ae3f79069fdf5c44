/** The form with everything that failures can be filtered by. */
import { useState } from 'react';
import { useSession } from '../app/session';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { NO_ISSUES } from '../form/issues';
import { fromLocal, toLocal } from '../time/local';
import { SearchSelect } from '../ui/SearchSelect';
import type { FailuresFilter } from './filter';

type FilterFormProps = { filter: FailuresFilter; onChange: (filter: FailuresFilter) => void; onClose: () => void };

const TIMES: readonly { name: 'from' | 'to'; label: string }[] = [
  { name: 'from', label: 'Failed from' },
  { name: 'to', label: 'Failed before' },
];

export function FilterForm({ filter, onChange, onClose }: FilterFormProps) {
  const { viewer } = useSession();
  const [name, setName] = useState(filter.function);
  const names = new Set([...(viewer.functions ?? []).map((each) => each.name), ...(name ? [name] : [])]);
  const submit = (values: FormData): void => {
    const text = (field: string): string => String(values.get(field) ?? '').trim();
    const times = { from: fromLocal(text('from')), to: fromLocal(text('to')) };
    onChange({ ...filter, function: text('function'), owner: text('owner'), ...times });
    onClose();
  };
  return (
    <FormFrame
      label="Filter failures"
      action="Show failures"
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
      {viewer.isAdmin && (
        <Field name="owner" label="Owner" issues={NO_ISSUES}>
          {(control) => <input {...control} defaultValue={filter.owner} spellCheck={false} />}
        </Field>
      )}
      {TIMES.map(({ name: time, label }) => (
        <Field key={time} name={time} label={label} issues={NO_ISSUES}>
          {(control) => <input {...control} type="datetime-local" step="1" defaultValue={toLocal(filter[time])} />}
        </Field>
      ))}
    </FormFrame>
  );
}
