/** The buttons to pause or resume a cron, and to delete it after a second click. */
import { DeleteCronDocument, PauseCronDocument, ResumeCronDocument } from '../generated';
import { Actions, action } from '../ui/Actions';
import type { Action } from '../ui/Actions';
import type { Cron } from './cronsFeed';

/** @param onDeleted called after the cron has been deleted. */
export function actionsOf({ id, enabled }: Pick<Cron, 'id' | 'enabled'>, onDeleted = () => {}): Action[] {
  const variables = { input: { cronId: id } };
  return [
    enabled ? action('Pause', PauseCronDocument, variables) : action('Resume', ResumeCronDocument, variables),
    action('Delete', DeleteCronDocument, variables, { asks: true, onDone: onDeleted }),
  ];
}

export function CronActions({ cron }: { cron: Cron }) {
  return <Actions actions={actionsOf(cron)} target={`cron ${cron.name}`} />;
}
