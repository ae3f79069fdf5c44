/** Sends a form's mutation and stores its errors. */
import { useState } from 'react';
import { useMutation } from 'urql';
import type { AnyVariables, DocumentInput } from '@urql/core';
import { NO_PROBLEMS, problemsOf } from './issues';
import type { Problems } from './issues';

type Submit<Variables> = {
  problems: Problems;
  sending: boolean;
  refuse: (problems: Problems) => void;
  /** Send; resolves to whether the server accepted it. */
  send: (variables: Variables) => Promise<boolean>;
};

export function useSubmit<Data, Variables extends AnyVariables>(
  document: DocumentInput<Data, Variables>,
  fields: readonly string[],
): Submit<Variables> {
  const [{ fetching }, execute] = useMutation(document);
  const [problems, setProblems] = useState(NO_PROBLEMS);
  const send = async (variables: Variables): Promise<boolean> => {
    const { error } = await execute(variables);
    setProblems(error ? problemsOf(error, fields) : NO_PROBLEMS);
    return !error;
  };
  return { problems, sending: fetching, refuse: setProblems, send };
}
