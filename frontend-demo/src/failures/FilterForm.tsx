/** The form with everything that failures can be filtered by. */
import { useSession } from '../app/session';
import { FunctionField, PeriodFields, periodIn, textIn } from '../filter/FilterFields';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { NO_ISSUES } from '../form/issues';
import type { FailuresFilter } from './filter';

type FilterFormProps = { filter: FailuresFilter; onChange: (filter: FailuresFilter) => void; onClose: () => void };

export function FilterForm({ filter, onChange, onClose }: FilterFormProps) {
  const { viewer } = useSession();
  const submit = (values: FormData): void => {
    onChange({ ...filter, function: textIn(values, 'function'), owner: textIn(values, 'owner'), ...periodIn(values) });
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
      <FunctionField initial={filter.function} />
      {viewer.isAdmin && (
        <Field name="owner" label="Owner" issues={NO_ISSUES}>
          {(control) => <input {...control} defaultValue={filter.owner} spellCheck={false} />}
        </Field>
      )}
      <PeriodFields verb="Failed" initial={filter} />
    </FormFrame>
  );
}
