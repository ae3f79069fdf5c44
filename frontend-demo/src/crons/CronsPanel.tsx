/** The crons, live, with the form to register one. */
import type { Runnable } from '../form/functions';
import { Panel } from '../Panel';
import { Rows } from '../Rows';
import { CronRow } from './CronRow';
import { useCrons } from './cronsFeed';
import { RegisterCronForm } from './RegisterCronForm';

export function CronsPanel({ functions }: { functions: Runnable[] | null }) {
  const view = useCrons();
  return (
    <Panel
      title="Crons"
      count={view.status === 'live' && view.rows.length}
      action="New cron"
      form={functions && ((close) => <RegisterCronForm functions={functions} onClose={close} />)}
    >
      <Rows
        label="Crons"
        empty="No crons yet. Register one to run a function on a schedule."
        view={view}
        entities={view.rows}
        row={(cron) => <CronRow key={cron.id} cron={cron} />}
      />
    </Panel>
  );
}
