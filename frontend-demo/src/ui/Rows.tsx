/** A live list: loading, failed, empty, or with rows. */
import type { ReactNode } from 'react';
import type { LiveView } from 'ostinato-client';
import { LiveNotice } from './LiveNotice';
import { Skeleton } from './Skeleton';

type RowsProps<Entity> = {
  label: string;
  empty: ReactNode;
  view: LiveView<unknown>;
  entities: readonly Entity[];
  row: (entity: Entity) => ReactNode;
};

export function Rows<Entity>({ label, empty, view, entities, row }: RowsProps<Entity>) {
  const { status, error } = view;
  const loading = status === 'loading';
  return (
    <>
      <LiveNotice view={view} />
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
