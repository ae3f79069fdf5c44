/** A table of objects; on narrow screens, each row is a block with the names of its columns. */
import type { ReactNode } from 'react';

export type Column<Row> = {
  name: string;
  cell: (row: Row) => ReactNode;
  /** Whether it is a number, shown at the right. */
  numeric?: boolean;
};

type TableProps<Row> = {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  empty: ReactNode;
};

export function Table<Row>({ label, columns, rows, keyOf, empty }: TableProps<Row>) {
  if (rows.length === 0) return <p className="empty">{empty}</p>;
  return (
    <table className="table" aria-label={label}>
      <thead>
        <tr>
          {columns.map(({ name, numeric }) => (
            <th key={name} scope="col" className={numeric ? 'numeric' : undefined}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)}>
            {columns.map(({ name, cell, numeric }) => (
              <td key={name} data-name={name} className={numeric ? 'numeric' : undefined}>
                {/* One item beside the name of its column. */}
                <div>{cell(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
