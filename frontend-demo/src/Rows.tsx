/** A live list: loading, failed, empty, or with rows. */
import type { ReactNode } from 'react';
import type { LiveView } from 'ostinato-client';

type RowsProps<Entity> = {
  label: string;
  empty: ReactNode;
  view: LiveView<Entity>;
  entities: readonly Entity[];
  row: (entity: Entity) => ReactNode;
};

export function Rows<Entity>({ label, empty, view, entities, row }: RowsProps<Entity>) {
  const { status, error } = view;
  const loading = status === 'loading';
  return (
    <>
      {error && (
        <p role="alert" className="issue banner">
          {error.problems[0]?.message ?? 'The live connection failed.'} Retrying…
        </p>
      )}
      {loading && !error && <Skeleton label={label} />}
      {!loading && entities.length === 0 && <p className="empty">{empty}</p>}
      {entities.length > 0 && (
        <ul className="rows" aria-label={label}>
          {entities.map(row)}
        </ul>
      )}
    </>
  );
}

function Skeleton({ label }: { label: string }) {
  return (
    <div className="skeleton" role="status">
      <span className="unseen">Loading {label.toLowerCase()}…</span>
      <i />
      <i />
      <i />
    </div>
  );
}
