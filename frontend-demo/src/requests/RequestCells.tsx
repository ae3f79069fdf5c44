/** The answer to a request and its actions. */
import { CancelRequestDocument, ExtendRequestDocument } from '../generated';
import type { RequestRowFragment } from '../generated';
import { Actions, action } from '../ui/Actions';
import { FormDialog } from '../ui/FormDialog';
import { AnswerForm } from './AnswerForm';

const EXTENSION_MS = 3_600_000;

export const STATES: Record<RequestRowFragment['state'], { name: string; tone: string }> = {
  PENDING: { name: 'Waiting', tone: 'tone-pending' },
  COMPLETED: { name: 'Completed', tone: 'tone-success' },
  FAILED: { name: 'Failed', tone: 'tone-failed' },
  TIMEOUT: { name: 'Timed out', tone: 'tone-failed' },
  CANCELED: { name: 'Canceled', tone: 'tone-canceled' },
};

export function brief(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function Outcome({ request: { state, result, error, answeredBy } }: { request: RequestRowFragment }) {
  if (state === 'PENDING') return null;
  const by = answeredBy && ` by ${answeredBy}`;
  if (error) return <span className="issue">{error.message}{by}</span>;
  return (
    <>
      {state === 'COMPLETED' && <code className="row-note">{brief(result)}</code>}
      {by}
    </>
  );
}

export function RequestActions({ request }: { request: RequestRowFragment }) {
  if (request.state !== 'PENDING') return null;
  const requestId = request.id;
  const actions = [
    action('Extend 1 h', ExtendRequestDocument, { input: { requestId, timeoutMs: EXTENSION_MS } }),
    action('Cancel', CancelRequestDocument, { input: { requestId } }),
  ];
  return (
    <span className="row-actions">
      <FormDialog action="Answer" title="Answer the request" className="small">
        {(close) => <AnswerForm request={request} onClose={close} />}
      </FormDialog>
      <Actions actions={actions} target="request" />
    </span>
  );
}
