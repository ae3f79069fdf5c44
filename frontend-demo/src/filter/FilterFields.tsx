/** Fields that the forms of several filters have: the function, and the two ends of a period. */
import { useState } from 'react';
import { useSession } from '../app/session';
import { Field } from '../form/Field';
import { NO_ISSUES } from '../form/issues';
import { fromLocal, toLocal } from '../time/local';
import { SearchSelect } from '../ui/SearchSelect';

/** Chooses a function of the user, or the one that is in the filter. */
export function FunctionField({ initial }: { initial: string }) {
  const { viewer } = useSession();
  const [name, setName] = useState(initial);
  const names = new Set([...(viewer.functions ?? []).map((each) => each.name), ...(name ? [name] : [])]);
  return (
    <Field name="function" label="Function" issues={NO_ISSUES}>
      {(control) => (
        <SearchSelect control={control} options={[...names].sort()} value={name} onChange={setName} placeholder="Any" />
      )}
    </Field>
  );
}

type Period = { from: string; to: string };

/** @param verb what happened within the period: `Created`. */
export function PeriodFields({ verb, initial }: { verb: string; initial: Period }) {
  return (['from', 'to'] as const).map((name) => (
    <Field key={name} name={name} label={`${verb} ${name === 'from' ? 'from' : 'before'}`} issues={NO_ISSUES}>
      {(control) => <input {...control} type="datetime-local" step="1" defaultValue={toLocal(initial[name])} />}
    </Field>
  ));
}

export function textIn(values: FormData, name: string): string {
  return String(values.get(name) ?? '').trim();
}

export function periodIn(values: FormData): Period {
  return { from: fromLocal(textIn(values, 'from')), to: fromLocal(textIn(values, 'to')) };
}
