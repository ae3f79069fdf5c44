/** The newest alerts, live: those that need attention first. */
import { useLiveQuery } from 'ostinato-client/urql';
import type { LiveView } from 'ostinato-client/urql';
import { AlertsChangedDocument } from '../generated';
import type { AlertRowFragment } from '../generated';

export type Alert = AlertRowFragment;

const LIMIT = 200;
const RANKS: Record<Alert['state'], number> = { OPEN: 0, ACKNOWLEDGED: 1, RESOLVED: 2 };

export function byUrgency(a: Alert, b: Alert): number {
  return (
    RANKS[a.state] - RANKS[b.state] || b.openedAt.localeCompare(a.openedAt) || b.id.localeCompare(a.id)
  );
}

function newestFirst(a: Alert, b: Alert): number {
  return b.openedAt.localeCompare(a.openedAt) || b.id.localeCompare(a.id);
}

/** The rows are in the order of their opening, so that a limited list has no gaps; sort them to show them. */
export function useAlerts(): LiveView<Alert> {
  return useLiveQuery(AlertsChangedDocument, { first: LIMIT }, { limit: LIMIT, order: newestFirst });
}
