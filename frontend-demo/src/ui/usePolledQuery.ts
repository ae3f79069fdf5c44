/** Reads a query again and again, for what has no subscription. */
import { useEffect } from 'react';
import { useQuery } from 'urql';
import type { AnyVariables, CombinedError, DocumentInput } from '@urql/core';

export const POLL_MS = 2_000;

export type Polled<Data> = {
  /** The newest data; undefined until the first answer. */
  data: Data | undefined;
  error: CombinedError | undefined;
  /** Read now, such as after a mutation. */
  refresh: () => void;
};

/** Read every `POLL_MS` while the tab is visible. */
export function usePolledQuery<Data, Variables extends AnyVariables>(
  query: DocumentInput<Data, Variables>,
  variables: Variables,
): Polled<Data> {
  const [{ data, error }, execute] = useQuery({ query, variables, requestPolicy: 'network-only' } as Parameters<
    typeof useQuery<Data, Variables>
  >[0]);
  const refresh = (): void => execute({ requestPolicy: 'network-only' });
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && refresh(), POLL_MS);
    return () => clearInterval(timer);
  }, [execute]);
  return { data, error, refresh };
}
