/** The frame of every form: its errors at the top, its buttons at the bottom. */
import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';
import { NO_ISSUES, sentenceOf } from './issues';
import type { FormIssues } from './issues';

type FormFrameProps = {
  label: string;
  action: string;
  sending: boolean;
  issues: FormIssues;
  /** Called with the name of a field that is changed. */
  onEdit?: (field: string) => void;
  /** Called with everything that is entered, after each change. */
  onChange?: (values: FormData) => void;
  onSubmit: (values: FormData) => void;
  onCancel: () => void;
  children: ReactNode;
};

export function FormFrame(props: FormFrameProps) {
  const form = useRef<HTMLFormElement>(null);
  const focus = (selector: string): void => {
    form.current?.querySelector<HTMLElement>(selector)?.focus();
  };
  useEffect(() => focus('input, select, textarea'), []);
  const isSubmitted = useRef(false);
  useEffect(() => {
    if (!isSubmitted.current || props.issues === NO_ISSUES) return;
    isSubmitted.current = false;
    focus('[aria-invalid="true"]');
  }, [props.issues]);
  return (
    <form
      ref={form}
      className="form"
      aria-label={props.label}
      noValidate
      onInput={(event) => {
        props.onEdit?.((event.target as HTMLInputElement).name);
        props.onChange?.(new FormData(event.currentTarget));
      }}
      onSubmit={(event) => {
        event.preventDefault();
        if (props.sending) return;
        isSubmitted.current = true;
        props.onSubmit(new FormData(event.currentTarget));
      }}
    >
      {props.issues.form.map((message) => (
        <p key={message} role="alert" className="issue banner">
          {sentenceOf('This', message)}
        </p>
      ))}
      {props.children}
      <div className="form-buttons">
        <button type="button" className="quiet" onClick={props.onCancel}>
          Cancel
        </button>
        <button type="submit" className="primary" aria-disabled={props.sending}>
          {props.sending ? 'Sending…' : props.action}
        </button>
      </div>
    </form>
  );
}
