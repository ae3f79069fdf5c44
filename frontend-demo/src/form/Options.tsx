/** The options of a select. */
import type { ReactNode } from 'react';

export function Options({ options }: { options: readonly (readonly [value: string, label: string])[] }): ReactNode {
  return options.map(([value, label]) => (
    <option key={value} value={value}>
      {label}
    </option>
  ));
}
