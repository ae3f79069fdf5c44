/** Answers a request, before its time has run out or after, and says what became of the answer. */
import { useMutation } from 'urql';
import { reasonOf } from '../form/issues';
import { AnswerRequestDocument } from '../generated';
import { Until } from '../time/Instant';
import { useNow } from '../time/now';

export type Asked = { id: string; timeoutAt: string };

function Question({ timeoutAt, isLate }: { timeoutAt: string; isLate: boolean }) {
  if (isLate) return <span>Ship it? The time has run out: one late answer is still kept.</span>;
  return (
    <span>
      Ship it? <Until at={timeoutAt} before="Time runs out " />.
    </span>
  );
}

export function Answer({ request: { id, timeoutAt } }: { request: Asked }) {
  const [{ data, error, fetching }, complete] = useMutation(AnswerRequestDocument);
  const isLate = useNow() >= Date.parse(timeoutAt);
  const answered = data?.completeRequest?.request;
  if (answered) {
    const text = answered.state === 'COMPLETED' ? 'Answered: the request is completed.' : 'The late answer is kept.';
    return <span role="status">{text}</span>;
  }
  return (
    <>
      <Question timeoutAt={timeoutAt} isLate={isLate} />
      {['Yes', 'No'].map((answer) => (
        <button
          key={answer}
          type="button"
          className="small"
          aria-disabled={fetching}
          onClick={() => !fetching && void complete({ input: { requestId: id, result: answer } })}
        >
          {isLate ? `Answer late: ${answer}` : answer}
        </button>
      ))}
      {error && <span className="issue">{reasonOf(error)}</span>}
    </>
  );
}
