/** The crons, live. */
import { useSession } from '../app/session';
import { FormDialog } from '../ui/FormDialog';
import { Page } from '../ui/Page';
import { Rows } from '../ui/Rows';
import { CronRow } from './CronRow';
import { useCrons } from './cronsFeed';
import { RegisterCronForm } from './form/RegisterCronForm';

export default function CronsPage() {
  const { viewer } = useSession();
  const view = useCrons();
  return (
    <Page
      title="Crons"
      note={<span className="count">{view.status === 'live' && view.rows.length}</span>}
      actions={
        <FormDialog action="New cron" title="Register a cron" name="register cron" className="primary" disabled={!viewer.functions}>
          {(close) => <RegisterCronForm functions={viewer.functions ?? []} onClose={close} />}
        </FormDialog>
      }
    >
      <div className="card">
        <Rows
          label="Crons"
          empty="No crons yet. Register one to run a function on a schedule."
          view={view}
          entities={view.rows}
          row={(cron) => <CronRow key={cron.id} cron={cron} />}
        />
      </div>
    </Page>
  );
}
