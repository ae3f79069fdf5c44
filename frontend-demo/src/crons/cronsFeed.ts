/** The feed of the user's crons. */
import { CronsChangedDocument } from '../generated';
import type { CronRowFragment, CronsChangedSubscription } from '../generated';
import type { Source } from '../live/feed';

export type Cron = CronRowFragment;

const MAX_CRONS = 1_000; // the maximum size of a snapshot

export function byName(a: Cron, b: Cron): number {
  return a.name.localeCompare(b.name);
}

export const cronsFeed: Source<CronsChangedSubscription, Cron> = {
  document: CronsChangedDocument,
  variables: {},
  window: { limit: MAX_CRONS, order: byName },
  change: ({ cronsChanged }) =>
    cronsChanged && { ...cronsChanged, id: cronsChanged.cronId, entity: cronsChanged.cron },
};
