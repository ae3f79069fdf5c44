/** What a list is filtered by, each with a button that removes it. */
import { X } from 'lucide-react';

export type ActiveFilter<Name extends string> = { name: Name; label: string; value: string };

type ActiveFiltersProps<Name extends string> = {
  filters: readonly ActiveFilter<Name>[];
  onRemove: (name: Name) => void;
  onClear: () => void;
};

export function ActiveFilters<Name extends string>({ filters, onRemove, onClear }: ActiveFiltersProps<Name>) {
  if (filters.length === 0) return null;
  return (
    <ul className="active-filters" aria-label="Filters">
      {filters.map(({ name, label, value }) => (
        <li key={name} className="active-filter">
          <span>
            {label} <b>{value}</b>
          </span>
          <button
            type="button"
            className="icon-button"
            aria-label={`Remove the filter ${label}`}
            onClick={() => onRemove(name)}
          >
            <X aria-hidden="true" size={14} />
          </button>
        </li>
      ))}
      <li>
        <button type="button" className="small" onClick={onClear}>
          Clear
        </button>
      </li>
    </ul>
  );
}
