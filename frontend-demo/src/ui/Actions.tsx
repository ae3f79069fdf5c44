/** Buttons that run mutations on one object, each with its error on a line of its own. */
import { useState } from 'react';
import { useClient } from 'urql';
import type { AnyVariables, CombinedError, DocumentInput } from '@urql/core';
import { ActionButton } from '../form/ActionButton';

export type Action = {
  label: string;
  run: (client: ReturnType<typeof useClient>) => Promise<{ error?: CombinedError | undefined }>;
} & ActionOptions;

type ActionOptions = {
  /** Whether it needs a second click. */
  asks?: boolean;
  disabled?: boolean;
  /** Called after it has succeeded. */
  onDone?: () => void;
};

/** Make an action of a mutation and its variables. */
export function action<Data, Variables extends AnyVariables>(
  label: string,
  document: DocumentInput<Data, Variables>,
  variables: Variables,
  options: ActionOptions = {},
): Action {
  return { label, run: (client) => client.mutation(document, variables).toPromise(), ...options };
}

type ActionsProps = {
  actions: readonly Action[];
  /** What they act on, for screen readers. */
  target: string;
};

export function Actions({ actions, target }: ActionsProps) {
  const client = useClient();
  const [running, setRunning] = useState<string | null>(null);
  const [asked, setAsked] = useState<string | null>(null);
  const [failed, setFailed] = useState<{ label: string; error: CombinedError } | null>(null);
  const run = async ({ label, asks, run: start, onDone }: Action): Promise<void> => {
    if (asks && asked !== label) return setAsked(label);
    setAsked(null);
    setRunning(label);
    const { error } = await start(client);
    setRunning(null);
    setFailed(error ? { label, error } : null);
    if (!error) onDone?.();
  };
  return (
    <span className="row-actions" onBlur={() => setAsked(null)}>
      {actions.map((each, index) => (
        <ActionButton
          key={index} // A button that becomes another one, such as Pause and Resume, keeps the focus.
          label={each.label}
          target={target}
          error={failed?.label === each.label ? failed.error : undefined}
          disabled={running !== null || each.disabled === true}
          isAsked={asked === each.label}
          onClick={() => void run(each)}
        />
      ))}
    </span>
  );
}
