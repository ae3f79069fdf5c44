/** Buttons that run mutations on one object, each with its error on a line of its own. */
import { useState } from 'react';
import { useClient } from 'urql';
import type { AnyVariables, CombinedError, DocumentInput } from '@urql/core';
import { ActionButton } from '../form/ActionButton';

export type Action = {
  label: string;
  run: (client: ReturnType<typeof useClient>) => Promise<{ error?: CombinedError | undefined }>;
};

/** Make an action of a mutation and its variables. */
export function action<Data, Variables extends AnyVariables>(
  label: string,
  document: DocumentInput<Data, Variables>,
  variables: Variables,
): Action {
  return { label, run: (client) => client.mutation(document, variables).toPromise() };
}

type ActionsProps = {
  actions: readonly Action[];
  /** What they act on, for screen readers. */
  target: string;
};

export function Actions({ actions, target }: ActionsProps) {
  const client = useClient();
  const [running, setRunning] = useState<string | null>(null);
  const [failed, setFailed] = useState<{ label: string; error: CombinedError } | null>(null);
  const run = async ({ label, run: start }: Action): Promise<void> => {
    setRunning(label);
    const { error } = await start(client);
    setRunning(null);
    setFailed(error ? { label, error } : null);
  };
  return (
    <span className="row-actions">
      {actions.map((each) => (
        <ActionButton
          key={each.label}
          label={each.label}
          target={target}
          error={failed?.label === each.label ? failed.error : undefined}
          disabled={running !== null}
          onClick={() => void run(each)}
        />
      ))}
    </span>
  );
}
