/** The user's crons, live. */
import { useLiveQuery } from 'ostinato-client/urql';
import type { LiveView } from 'ostinato-client/urql';
import { CronsChangedDocument } from '../generated';
import type { CronRowFragment } from '../generated';

export type Cron = CronRowFragment;

function byName(a: Cron, b: Cron): number {
  return a.name.localeCompare(b.name);
}

export function useCrons(): LiveView<Cron> {
  return useLiveQuery(CronsChangedDocument, {}, { order: byName });
}
