/** What the jobs are filtered by, each with a button that removes it. */
import { X } from 'lucide-react';
import { formatExact } from '../time/format';
import { NO_FILTER, namesSet } from './filter';
import type { FilterName, JobsFilter } from './filter';

type ActiveFiltersProps = { filter: JobsFilter; onChange: (filter: JobsFilter) => void };

const LABELS: Partial<Record<FilterName, string>> = {
  from: 'created from',
  to: 'created before',
  root: 'in the tree of',
  args: 'arguments',
};

function valueOf(filter: JobsFilter, name: FilterName): string {
  if (name === 'from' || name === 'to') return formatExact(Date.parse(filter[name]));
  return name === 'cause' ? filter.cause.toLowerCase() : filter[name];
}

export function ActiveFilters({ filter, onChange }: ActiveFiltersProps) {
  const names = namesSet(filter);
  if (names.length === 0) return null;
  return (
    <ul className="active-filters" aria-label="Filters">
      {names.map((name) => (
        <li key={name} className="active-filter">
          <span>
            {LABELS[name] ?? name} <b>{valueOf(filter, name)}</b>
          </span>
          <button
            type="button"
            className="icon-button"
            aria-label={`Remove the filter ${LABELS[name] ?? name}`}
            onClick={() => onChange({ ...filter, [name]: '' })}
          >
            <X aria-hidden="true" size={14} />
          </button>
        </li>
      ))}
      <li>
        <button type="button" className="small" onClick={() => onChange({ ...NO_FILTER, state: filter.state })}>
          Clear
        </button>
      </li>
    </ul>
  );
}
