/** The alerts that nobody has resolved, live: those that nobody takes care of first. */
import { Link } from 'react-router';
import { AlertRow } from '../alerts/AlertRow';
import { byUrgency, useAlerts } from '../alerts/alertsFeed';
import { Card } from '../ui/Card';
import { Rows } from '../ui/Rows';

const SHOWN = 4;

export function UnresolvedAlerts() {
  const view = useAlerts();
  const unresolved = view.rows.filter(({ state }) => state !== 'RESOLVED').toSorted(byUrgency);
  return (
    <Card
      title="Unresolved alerts"
      actions={<Link to="/alerts">{unresolved.length > SHOWN ? `All ${unresolved.length}` : 'All alerts'}</Link>}
    >
      <Rows
        label="Unresolved alerts"
        empty="No unresolved alerts."
        view={view}
        entities={unresolved.slice(0, SHOWN)}
        row={(alert) => <AlertRow key={alert.id} alert={alert} />}
      />
    </Card>
  );
}
