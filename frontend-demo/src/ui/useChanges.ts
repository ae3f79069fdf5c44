/** Counts what a subscription reports, for queries that are read again after a change. */
import { useSubscription } from 'urql';
import type { AnyVariables, DocumentInput } from '@urql/core';

/** @param concerns whether a message is about what the query reads. */
export function useChanges<Data, Variables extends AnyVariables>(
  query: DocumentInput<Data, Variables>,
  variables: Variables,
  concerns: (message: Data) => boolean = () => true,
): number {
  const [{ data }] = useSubscription<Data, number, Variables>(
    { query, variables } as Parameters<typeof useSubscription<Data, number, Variables>>[0],
    (count = 0, message) => (concerns(message) ? count + 1 : count),
  );
  return data ?? 0;
}
