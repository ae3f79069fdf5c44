/** Chooses a function and writes its arguments as JSON. */
import { useState } from 'react';
import { Field } from './Field';
import { firstArguments } from './functions';
import type { Runnable } from './functions';
import type { Problems } from './issues';

type FunctionFieldsProps = { functions: Runnable[]; problems: Problems };

/** Read the fields back; arguments that are not JSON give null. */
export function readFunction(values: FormData): { functionName: string; args: unknown } | null {
  const functionName = String(values.get('functionName') ?? '');
  try {
    return { functionName, args: JSON.parse(String(values.get('args') || '{}')) };
  } catch {
    return null;
  }
}

function summary({ description }: Runnable): string {
  return description.split('\n', 1)[0] ?? '';
}

export const NOT_JSON = 'This is not JSON. Example: {"name": "report"}';

export function FunctionFields({ functions, problems }: FunctionFieldsProps) {
  const preferred = functions.find(({ name }) => name === 'tasks.runTask') ?? functions[0];
  const [chosen, setChosen] = useState(preferred?.name ?? '');
  const runnable = functions.find(({ name }) => name === chosen) ?? preferred;
  return (
    <>
      <Field
        name="functionName"
        label="Function"
        problems={problems}
        hint={runnable ? summary(runnable) : 'No function is public to you.'}
      >
        {(control) => (
          <select {...control} value={chosen} onChange={(event) => setChosen(event.target.value)}>
            {functions.map(({ name, kind }) => (
              <option key={name} value={name}>
                {name} · {kind.toLowerCase()}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field name="args" label="Arguments" hint="A JSON object" problems={problems}>
        {(control) => (
          <textarea
            {...control}
            key={chosen}
            className="code"
            rows={3}
            spellCheck={false}
            defaultValue={firstArguments(runnable)}
          />
        )}
      </Field>
    </>
  );
}
