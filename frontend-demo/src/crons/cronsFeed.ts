/** The feed of the viewer's crons. */
import { CronsChangedDocument } from '../generated';
import type { CronRowFragment, CronsChangedSubscription } from '../generated';
import type { Source } from '../live/feed';

export type Cron = CronRowFragment;

const MOST = 1_000; // A snapshot has at most this many rows.

export function byName(a: Cron, b: Cron): number {
  return a.name.localeCompare(b.name);
}

export const cronsFeed: Source<CronsChangedSubscription, Cron> = {
  document: CronsChangedDocument,
  variables: {},
  window: { limit: MOST, order: byName },
  change: ({ cronsChanged }) =>
    cronsChanged && { ...cronsChanged, id: cronsChanged.cronId, entity: cronsChanged.cron },
};
