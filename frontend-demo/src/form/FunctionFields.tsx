/** The fields to select a function and enter its arguments as JSON. */
import { useEffect, useRef, useState } from 'react';
import { Field } from './Field';
import { DEFAULT_FUNCTION, initialArguments } from './functions';
import type { Runnable } from './functions';
import type { FormIssues } from './issues';

type FunctionFieldsProps = {
  functions: Runnable[];
  issues: FormIssues;
  /** Whether the server fills in the arguments of the default function. */
  serverFillsDefaults?: boolean;
  /** What is chosen first. */
  initial?: { functionName: string; args: unknown };
};

const MAX_ROWS = 9;

function summary({ description }: Runnable): string {
  return description.split('\n', 1)[0] ?? '';
}

export function FunctionFields(props: FunctionFieldsProps) {
  const { functions, issues, serverFillsDefaults = false, initial } = props;
  const preferred = functions.find((each) => each.name === DEFAULT_FUNCTION) ?? functions[0];
  const [chosen, setChosen] = useState<string | null>(initial?.functionName ?? null);
  const runnable = functions.find((each) => each.name === chosen) ?? preferred;
  const name = runnable?.name ?? '';
  const isInitial = name === initial?.functionName;
  const usual = serverFillsDefaults && name === DEFAULT_FUNCTION ? '{}' : initialArguments(runnable);
  const args = isInitial ? JSON.stringify(initial?.args, null, 2) : usual;
  const argsField = useRef<HTMLTextAreaElement>(null);
  const shown = useRef(name);
  // The form has read the new function with the arguments of the one before, which are replaced only now.
  useEffect(() => {
    if (shown.current === name) return;
    shown.current = name;
    argsField.current?.dispatchEvent(new Event('input', { bubbles: true }));
  }, [name]);
  return (
    <>
      <Field
        name="functionName"
        label="Function"
        issues={issues}
        hint={runnable ? summary(runnable) : 'You may not run any function.'}
      >
        {(control) => (
          <select {...control} value={name} onChange={(event) => setChosen(event.target.value)}>
            {functions.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name} · {each.kind.toLowerCase()}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field name="args" label="Arguments" hint="A JSON object" issues={issues}>
        {(control) => (
          <textarea
            {...control}
            ref={argsField}
            key={name}
            className="code"
            rows={Math.min(Math.max(args.split('\n').length, 3), MAX_ROWS)}
            spellCheck={false}
            defaultValue={args}
          />
        )}
      </Field>
    </>
  );
}
