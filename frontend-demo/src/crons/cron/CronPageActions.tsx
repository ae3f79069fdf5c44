/** What can be done with a cron on its page. */
import { useNavigate } from 'react-router';
import { useSession } from '../../app/session';
import { SkipNextRunDocument, TriggerCronDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { Actions, action } from '../../ui/Actions';
import { FormDialog } from '../../ui/FormDialog';
import { useToasts } from '../../ui/Toasts';
import { actionsOf } from '../CronActions';
import { BackfillForm } from './BackfillForm';
import { EditCronForm } from '../form/EditCronForm';

export function CronPageActions({ cron }: { cron: CronDetailsFragment }) {
  const { viewer } = useSession();
  const toasts = useToasts();
  const navigate = useNavigate();
  const target = `cron ${cron.name}`;
  const variables = { input: { cronId: cron.id } };
  const run = action('Run now', TriggerCronDocument, variables, {
    onDone: () => toasts.add({ title: 'Started a run', description: 'The schedule is unchanged.' }),
  });
  const skip = action('Skip next', SkipNextRunDocument, variables, {
    onDone: () => toasts.add({ title: 'The next tick will be skipped' }),
  });
  const leave = () => {
    toasts.add({ title: `Deleted ${cron.name}` });
    void navigate('/crons');
  };
  return (
    <div className="action-grid">
      <Actions actions={cron.enabled ? [run, skip] : [run]} target={target} />
      <FormDialog action="Backfill" title="Run ticks of the past" className="small">
        {(close) => <BackfillForm cron={cron} onClose={close} />}
      </FormDialog>
      <FormDialog action="Edit" title="Change the cron" className="small" disabled={!viewer.functions}>
        {(close) => <EditCronForm cron={cron} functions={viewer.functions ?? []} onClose={close} />}
      </FormDialog>
      <Actions actions={actionsOf(cron, leave)} target={target} />
    </div>
  );
}
