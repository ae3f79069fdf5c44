/** The crons, live, with the form to register one. */
import type { Runnable } from '../form/functions';
import { Rows } from '../live/Rows';
import { useLive } from '../live/useLive';
import { Panel } from '../Panel';
import { CronRow } from './CronRow';
import { byName, cronsFeed } from './cronsFeed';
import { RegisterCronForm } from './RegisterCronForm';

export function CronsPanel({ functions }: { functions: Runnable[] | null }) {
  const view = useLive(cronsFeed);
  const crons = [...view.live.rows.values()].sort(byName);
  return (
    <Panel
      title="Crons"
      count={view.live.phase === 'live' && crons.length}
      action="New cron"
      form={functions && ((close) => <RegisterCronForm functions={functions} onClose={close} />)}
    >
      <Rows
        label="Crons"
        empty="No crons yet. Register one to run a function on a schedule."
        view={view}
        entities={crons}
        row={(cron) => <CronRow key={cron.id} cron={cron} />}
      />
    </Panel>
  );
}
