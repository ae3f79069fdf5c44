/** Sends a form's mutation and stores its errors. */
import { useState } from 'react';
import { useMutation } from 'urql';
import type { AnyVariables, DocumentInput } from '@urql/core';
import { NO_ISSUES, issuesOnly, toFormIssues } from './issues';
import type { FormIssues, Typed } from './issues';

type Submit<Variables> = {
  issues: FormIssues;
  sending: boolean;
  refuse: (issues: FormIssues) => void;
  /** Send; resolves to whether the server accepted it. Issues show durations as they were `typed`. */
  send: (variables: Variables, typed?: Typed) => Promise<boolean>;
  /** Forget the issues of a field that was changed, or of several that belong together. */
  forget: (changed: string | readonly string[]) => void;
};

export function useSubmit<Data, Variables extends AnyVariables>(
  document: DocumentInput<Data, Variables>,
  fields: readonly string[],
): Submit<Variables> {
  const [{ fetching }, execute] = useMutation(document);
  const [issues, setIssues] = useState(NO_ISSUES);
  const send = async (variables: Variables, typed?: Typed): Promise<boolean> => {
    const { error } = await execute(variables);
    setIssues(error ? toFormIssues(error, fields, typed) : NO_ISSUES);
    return !error;
  };
  const forget = (changed: string | readonly string[]): void => {
    const forgotten = [changed].flat();
    setIssues((known) => issuesOnly(known, (field) => !forgotten.includes(field)));
  };
  return { issues, sending: fetching, refuse: setIssues, send, forget };
}
