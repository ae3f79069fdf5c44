/** The form that answers a request: with a result, or with the reason why it is rejected. */
import { useState } from 'react';
import { Field } from '../form/Field';
import { FormFrame } from '../form/FormFrame';
import { fieldIssue } from '../form/issues';
import { useSubmit } from '../form/useSubmit';
import { CompleteRequestDocument, RejectRequestDocument } from '../generated';
import { Json } from '../ui/Json';
import { readAnswer } from './answer';

type AnswerFormProps = {
  request: { id: string; data: unknown };
  /** Whether it has timed out. */
  isLate?: boolean;
  onClose: () => void;
};

export function AnswerForm({ request, isLate = false, onClose }: AnswerFormProps) {
  const complete = useSubmit(CompleteRequestDocument, ['result']);
  const reject = useSubmit(RejectRequestDocument, ['result']);
  const [rejects, setRejects] = useState(false);
  const used = rejects ? reject : complete;
  const submit = async (values: FormData): Promise<void> => {
    const text = String(values.get('result')).trim();
    if (text === '') return used.refuse(fieldIssue('result', 'Enter an answer.'));
    const answer = rejects ? { result: null } : readAnswer(text);
    if ('issue' in answer) return used.refuse(fieldIssue('result', answer.issue));
    const accepted = rejects
      ? await reject.send({ input: { requestId: request.id, error: text } })
      : await complete.send({ input: { requestId: request.id, result: answer.result } });
    if (accepted) onClose();
  };
  return (
    <FormFrame
      label="Answer the request"
      action={rejects ? 'Reject' : 'Answer'}
      sending={used.sending}
      issues={used.issues}
      onEdit={used.forget}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      {isLate && <p className="hint whole">It has timed out, and stays so: one answer is kept, and marked as late.</p>}
      <Json value={request.data} label="Data" />
      <Field
        name="result"
        label={rejects ? 'Reason' : 'Result'}
        hint={rejects ? 'shown as the error' : 'Text as it is, or JSON such as {"ok": true}'}
        issues={used.issues}
      >
        {(control) => <textarea {...control} className="code" rows={4} />}
      </Field>
      <label className="check">
        <input type="checkbox" checked={rejects} onChange={(event) => setRejects(event.target.checked)} />
        Reject it
      </label>
    </FormFrame>
  );
}
