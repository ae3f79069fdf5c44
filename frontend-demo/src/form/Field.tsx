/** A labelled form control with its hint and its errors. */
import { useEffect, useId, useRef } from 'react';
import type { ReactNode } from 'react';
import { sentenceOf } from './issues';
import type { FormIssues } from './issues';

export type ControlProps = {
  id: string;
  name: string;
  'aria-describedby': string;
  'aria-invalid': boolean;
};

type FieldProps = {
  name: string;
  label: string;
  hint?: string;
  issues: FormIssues;
  children: (control: ControlProps) => ReactNode;
};

export function Field({ name, label, hint, issues, children }: FieldProps) {
  const id = useId();
  const field = useRef<HTMLDivElement>(null);
  const messages = issues.fields.get(name) ?? [];
  const isInvalid = messages.length > 0;
  useEffect(() => {
    const folded = isInvalid && field.current?.closest('details');
    if (folded) folded.open = true;
  }, [isInvalid]);
  return (
    <div ref={field} className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        name,
        'aria-describedby': `${id}-notes`,
        'aria-invalid': isInvalid,
      })}
      <div id={`${id}-notes`} className="notes">
        {messages.map((message) => (
          <p key={message} role="alert" className="issue" data-field={name}>
            {sentenceOf(label, message, name)}
          </p>
        ))}
        {!isInvalid && hint && <p className="hint">{hint}</p>}
      </div>
    </div>
  );
}
