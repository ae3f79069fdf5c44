/** The answer to a request and its actions. */
import { CancelRequestDocument, ExtendRequestDocument } from '../generated';
import type { RequestRowFragment } from '../generated';
import { Since } from '../time/Instant';
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

function LateAnswer({ answer: { at, by, result, error } }: { answer: NonNullable<RequestRowFragment['lateAnswer']> }) {
  return (
    <>
      <span className="tag">late</span>{' '}
      {error ? <span className="issue">{error.message}</span> : <code className="row-note">{brief(result)}</code>}
      {by && ` by ${by}`} <Since at={at} />
    </>
  );
}

export function Outcome({ request }: { request: RequestRowFragment }) {
  const { state, result, error, answeredBy, lateAnswer } = request;
  if (state === 'PENDING') return null;
  if (lateAnswer) return <LateAnswer answer={lateAnswer} />;
  const by = answeredBy && ` by ${answeredBy}`;
  if (error) return <span className="issue">{error.message}{by}</span>;
  return (
    <>
      {state === 'COMPLETED' && <code className="row-note">{brief(result)}</code>}
      {by}
    </>
  );
}

/** Its form stays open when the request times out, so that nothing that was typed is lost. */
export function RequestActions({ request }: { request: RequestRowFragment }) {
  const { id: requestId, state, lateAnswer } = request;
  const isLate = state === 'TIMEOUT';
  if (state !== 'PENDING' && !(isLate && lateAnswer === null)) return null;
  const actions = [
    action('Extend 1 h', ExtendRequestDocument, { input: { requestId, timeoutMs: EXTENSION_MS } }),
    action('Cancel', CancelRequestDocument, { input: { requestId } }),
  ];
  return (
    <span className="row-actions">
      <FormDialog
        action={isLate ? 'Answer late' : 'Answer'}
        title={isLate ? 'Answer the request late' : 'Answer the request'}
        className="small"
      >
        {(close) => <AnswerForm request={request} isLate={isLate} onClose={close} />}
      </FormDialog>
      {!isLate && <Actions actions={actions} target="request" />}
    </span>
  );
}
