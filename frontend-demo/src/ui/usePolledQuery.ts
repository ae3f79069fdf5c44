/** Reads a query again and again: after changes, if a subscription reports them, or in a fixed rhythm. */
import { useEffect, useRef } from 'react';
import { useQuery } from 'urql';
import type { AnyVariables, CombinedError, DocumentInput } from '@urql/core';

const MIN_INTERVAL_MS = 1_000;
/** Of what has no subscription. */
export const POLL_MS = 2_000;
/** With a subscription: times pass and counts age without a change. */
const QUIET_MS = 15_000;

export type Polled<Data> = {
  /** The newest data; undefined until the first answer. */
  data: Data | undefined;
  error: CombinedError | undefined;
  /** Read now, such as after a mutation. */
  refresh: () => void;
};

/**
 * Read while the tab is visible, at most once a second.
 * @param changes how many changes have arrived; undefined without a subscription.
 */
export function usePolledQuery<Data, Variables extends AnyVariables>(
  query: DocumentInput<Data, Variables>,
  variables: Variables,
  changes?: number,
): Polled<Data> {
  const [{ data, error }, execute] = useQuery({ query, variables, requestPolicy: 'network-only' } as Parameters<
    typeof useQuery<Data, Variables>
  >[0]);
  const latest = useRef(changes);
  latest.current = changes;
  const refresh = (): void => execute({ requestPolicy: 'network-only' });
  useEffect(() => {
    let [seen, at] = [latest.current, Date.now()];
    const timer = setInterval(() => {
      const interval = latest.current === undefined ? POLL_MS : QUIET_MS;
      const isDue = latest.current !== seen || Date.now() - at >= interval;
      if (!isDue || document.visibilityState !== 'visible') return;
      [seen, at] = [latest.current, Date.now()];
      refresh();
    }, MIN_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [execute]);
  return { data, error, refresh };
}
