/** The form with everything that jobs can be filtered by, except the state. */
import { useSession } from '../app/session';
import { FunctionField, PeriodFields, periodIn, textIn } from '../filter/FilterFields';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { NO_ISSUES } from '../form/issues';
import { CAUSES } from './filter';
import type { FilterName, JobsFilter } from './filter';

type FilterFormProps = { filter: JobsFilter; onChange: (filter: JobsFilter) => void; onClose: () => void };

const TEXTS: readonly { name: FilterName; label: string; hint?: string; admin?: boolean }[] = [
  { name: 'queue', label: 'Queue' },
  { name: 'tag', label: 'Tags', hint: 'Separated by spaces; a job must have all of them' },
  { name: 'key', label: 'Key', hint: 'The key with which the job was scheduled' },
  { name: 'owner', label: 'Owner', admin: true },
];

function read(values: FormData, before: JobsFilter): JobsFilter {
  const texts = Object.fromEntries(TEXTS.map(({ name }) => [name, textIn(values, name)]));
  const cause = textIn(values, 'cause') as JobsFilter['cause'];
  return { ...before, ...texts, ...periodIn(values), function: textIn(values, 'function'), cause };
}

export function FilterForm({ filter, onChange, onClose }: FilterFormProps) {
  const { viewer } = useSession();
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
      <FunctionField initial={filter.function} />
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
      <PeriodFields verb="Created" initial={filter} />
    </FormFrame>
  );
}
