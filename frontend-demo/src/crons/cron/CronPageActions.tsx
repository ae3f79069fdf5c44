/** What can be done with a cron on its page. */
import { useMutation } from 'urql';
import { useSession } from '../../app/session';
import { ActionButton } from '../../form/ActionButton';
import { SkipNextRunDocument, TriggerCronDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { FormDialog } from '../../ui/FormDialog';
import { useToasts } from '../../ui/Toasts';
import { CronActions } from '../CronActions';
import { EditCronForm } from '../form/EditCronForm';

export function CronPageActions({ cron }: { cron: CronDetailsFragment }) {
  const [triggering, trigger] = useMutation(TriggerCronDocument);
  const [skipping, skip] = useMutation(SkipNextRunDocument);
  const { viewer } = useSession();
  const toasts = useToasts();
  const target = `cron ${cron.name}`;
  const run = async (): Promise<void> => {
    const { error } = await trigger({ input: { cronId: cron.id } });
    if (!error) toasts.add({ title: 'Started a run', description: 'The schedule is unchanged.' });
  };
  const skipOne = async (): Promise<void> => {
    const { error } = await skip({ input: { cronId: cron.id } });
    if (!error) toasts.add({ title: 'Skipped the next run' });
  };
  return (
    <>
      <ActionButton
        label="Run now"
        target={target}
        error={triggering.error}
        disabled={triggering.fetching}
        onClick={() => void run()}
      />
      {cron.enabled && (
        <ActionButton
          label="Skip next"
          target={target}
          error={skipping.error}
          disabled={skipping.fetching}
          onClick={() => void skipOne()}
        />
      )}
      <FormDialog action="Edit" title="Change the cron" className="small" disabled={!viewer.functions}>
        {(close) => <EditCronForm cron={cron} functions={viewer.functions ?? []} onClose={close} />}
      </FormDialog>
      <CronActions cron={cron} />
    </>
  );
}
