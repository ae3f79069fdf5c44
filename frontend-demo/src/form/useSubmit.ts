/** Sends a form's mutation and stores its errors. */
import { useState } from 'react';
import { useMutation } from 'urql';
import type { AnyVariables, DocumentInput } from '@urql/core';
import { NO_ISSUES, toFormIssues } from './issues';
import type { FormIssues } from './issues';

type Submit<Variables> = {
  issues: FormIssues;
  sending: boolean;
  refuse: (issues: FormIssues) => void;
  /** Send; resolves to whether the server accepted it. */
  send: (variables: Variables) => Promise<boolean>;
};

export function useSubmit<Data, Variables extends AnyVariables>(
  document: DocumentInput<Data, Variables>,
  fields: readonly string[],
): Submit<Variables> {
  const [{ fetching }, execute] = useMutation(document);
  const [issues, setIssues] = useState(NO_ISSUES);
  const send = async (variables: Variables): Promise<boolean> => {
    const { error } = await execute(variables);
    setIssues(error ? toFormIssues(error, fields) : NO_ISSUES);
    return !error;
  };
  return { issues, sending: fetching, refuse: setIssues, send };
}
