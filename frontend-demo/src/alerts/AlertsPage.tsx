/** What needs attention, live: late and failing crons, stuck jobs, queues without workers. */
import { Page } from '../ui/Page';
import { Rows } from '../ui/Rows';
import { AlertRow } from './AlertRow';
import { byUrgency, useAlerts } from './alertsFeed';

export default function AlertsPage() {
  const view = useAlerts();
  const open = view.rows.filter(({ state }) => state !== 'RESOLVED').length;
  return (
    <Page title="Alerts" note={view.status === 'live' && <span className="count">{open} open</span>}>
      <div className="card">
        <Rows
          label="Alerts"
          empty="No alerts: everything runs as planned."
          view={view}
          entities={view.rows.toSorted(byUrgency)}
          row={(alert) => <AlertRow key={alert.id} alert={alert} />}
        />
      </div>
    </Page>
  );
}
