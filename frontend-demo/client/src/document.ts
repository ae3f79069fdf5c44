/** Checks of the document of a live list. */

type Definition = {
  kind: string;
  variableDefinitions?: readonly { variable: { name: { value: string } } }[] | undefined;
};

/** Throw an Error unless the document declares `$after`, without which a list cannot resume. */
export function requireAfter(document: string | { definitions?: readonly object[] }): void {
  if (
    typeof document === 'string' ? /\$after\b/.test(document) : declaresAfter(document.definitions)
  )
    return;
  throw new Error(
    'A live list resumes: declare $after: Cursor in the subscription, and pass it to the root field.',
  );
}

/** A document without definitions is a persisted one, of which only the id is known. */
function declaresAfter(definitions: readonly object[] = []): boolean {
  const operations = (definitions as Definition[]).filter(
    ({ kind }) => kind === 'OperationDefinition',
  );
  const variables = operations.flatMap(({ variableDefinitions = [] }) => variableDefinitions);
  return (
    definitions.length === 0 || variables.some(({ variable }) => variable.name.value === 'after')
  );
}
