/** Answers a request, and shows its state. */
import { useMutation } from 'urql';
import { reasonOf } from '../form/issues';
import { AnswerRequestDocument } from '../generated';

export function Answer({ requestId }: { requestId: string }) {
  const [{ data, error, fetching }, complete] = useMutation(AnswerRequestDocument);
  const state = data?.completeRequest?.request.state;
  if (state) return <span className="hint">The request is {state.toLowerCase()}.</span>;
  return (
    <>
      <span>Ship it?</span>
      {['Yes', 'No'].map((answer) => (
        <button
          key={answer}
          type="button"
          className="small"
          aria-disabled={fetching}
          onClick={() => !fetching && void complete({ input: { requestId, result: answer } })}
        >
          {answer}
        </button>
      ))}
      {error && <span className="issue">{reasonOf(error)}</span>}
    </>
  );
}
