/** An alert: what is wrong, since when, and who takes care of it. */
import { Link } from 'react-router';
import { AcknowledgeAlertDocument, ResolveAlertDocument } from '../generated';
import { Since } from '../time/Instant';
import { Actions, action } from '../ui/Actions';
import type { Action } from '../ui/Actions';
import { Chip } from '../ui/Chip';
import type { Alert } from './alertsFeed';

const STATES: Record<Alert['state'], { name: string; tone: string }> = {
  OPEN: { name: 'Open', tone: 'tone-failed' },
  ACKNOWLEDGED: { name: 'Acknowledged', tone: 'tone-pending' },
  RESOLVED: { name: 'Resolved', tone: 'tone-success' },
};

function Subject({ alert }: { alert: Alert }) {
  if (alert.cron) return <Link to={`/crons/${alert.cron.id}`}>{alert.cron.name}</Link>;
  if (alert.job) return <Link to={`/jobs/${alert.job.id}`}>{alert.job.functionName}</Link>;
  if (alert.functionName === null) return null;
  return <Link to={`/failures?function=${encodeURIComponent(alert.functionName)}`}>{alert.functionName}</Link>;
}

function actionsOf(alert: Alert): Action[] {
  const variables = { input: { alertId: alert.id } };
  const resolve = action('Resolve', ResolveAlertDocument, variables);
  if (alert.state === 'RESOLVED') return [];
  if (alert.state === 'ACKNOWLEDGED') return [resolve];
  return [action('Acknowledge', AcknowledgeAlertDocument, variables), resolve];
}

export function AlertRow({ alert }: { alert: Alert }) {
  const { name, tone } = STATES[alert.state];
  return (
    <li className={`row alert ${tone}`} data-alert={alert.kind} data-state={alert.state}>
      <div>
        <p>{alert.message}</p>
        <p className="row-note alert-note">
          <Chip tone={tone}>{name}</Chip>
          <Subject alert={alert} />
          <Since at={alert.resolvedAt ?? alert.openedAt} />
          {alert.acknowledgedBy && <span>acknowledged by {alert.acknowledgedBy}</span>}
          {alert.resolvedBy && <span>resolved by {alert.resolvedBy}</span>}
        </p>
      </div>
      <Actions actions={actionsOf(alert)} target={alert.message} />
    </li>
  );
}
