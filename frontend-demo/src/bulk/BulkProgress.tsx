/** The bulk actions that run, and those that ended while the page was open, until they are dismissed. */
import { useState } from 'react';
import type { ReactNode } from 'react';
import { X } from 'lucide-react';
import { useMutation } from 'urql';
import { useLiveQuery } from 'ostinato-client/urql';
import { BulkActionsChangedDocument, CancelBulkActionDocument } from '../generated';
import type { BulkProgressFragment } from '../generated';
import { reasonOf } from '../form/issues';
import { describe } from './describe';

type ActionProps = { action: BulkProgressFragment; detail: ReactNode; onDismiss: () => void };

function Stop({ id }: { id: string }) {
  const [{ fetching, error }, stop] = useMutation(CancelBulkActionDocument);
  return (
    <>
      {error && <span className="issue">{reasonOf(error)}</span>}
      <button
        type="button"
        className="small"
        aria-disabled={fetching}
        onClick={() => !fetching && void stop({ input: { bulkActionId: id } })}
      >
        Stop
      </button>
    </>
  );
}

function Action({ action, detail, onDismiss }: ActionProps) {
  const { id, state, processed, total, errors } = action;
  const [error] = errors;
  const isRunning = state === 'RUNNING';
  return (
    <li className="bulk-action" data-bulk={state}>
      {isRunning && <progress value={total === null ? undefined : processed} max={total ?? 1} aria-label="Progress" />}
      <span role="status">{describe(action)}</span>
      {detail}
      {error && (
        <span className="issue bulk-issue" title={error.message}>
          {error.message}
        </span>
      )}
      {isRunning ? (
        <Stop id={id} />
      ) : (
        <button type="button" className="icon-button" aria-label="Dismiss" onClick={onDismiss}>
          <X aria-hidden="true" size={15} />
        </button>
      )}
    </li>
  );
}

/** @param detailOf what a page knows of an action that it has started. */
export function BulkProgress({ detailOf }: { detailOf?: (id: string) => ReactNode }) {
  const { rows } = useLiveQuery(BulkActionsChangedDocument, {});
  const [openedAt] = useState(Date.now);
  const [dismissed, setDismissed] = useState<readonly string[]>([]);
  const shown = rows.filter(
    ({ id, completedAt }) => !dismissed.includes(id) && (completedAt === null || Date.parse(completedAt) >= openedAt),
  );
  if (shown.length === 0) return null;
  return (
    <ul className="bulk-actions" aria-label="Changes of many jobs">
      {shown.map((action) => (
        <Action
          key={action.id}
          action={action}
          detail={detailOf?.(action.id)}
          onDismiss={() => setDismissed([...dismissed, action.id])}
        />
      ))}
    </ul>
  );
}
