/** The alerts that nobody has resolved, live: those that nobody takes care of first. */
import { Link } from 'react-router';
import { AlertRow } from '../alerts/AlertRow';
import { byUrgency, useAlerts } from '../alerts/alertsFeed';
import { Card } from '../ui/Card';
import { Rows } from '../ui/Rows';

const SHOWN = 4;

export function OpenAlerts() {
  const view = useAlerts();
  const open = view.rows.filter(({ state }) => state !== 'RESOLVED').toSorted(byUrgency);
  return (
    <Card title="Open alerts" actions={<Link to="/alerts">{open.length > SHOWN ? `All ${open.length}` : 'All alerts'}</Link>}>
      <Rows
        label="Open alerts"
        empty="No open alerts."
        view={view}
        entities={open.slice(0, SHOWN)}
        row={(alert) => <AlertRow key={alert.id} alert={alert} />}
      />
    </Card>
  );
}
