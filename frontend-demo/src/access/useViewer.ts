/** The user and the functions it may run; reloaded after each reconnect. */
import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import type { Runnable } from '../form/functions';
import { ViewerDocument } from '../generated';
import type { ConnectionState } from './connection';

export type Viewer = {
  id: string;
  isAdmin: boolean;
  /** Null until loaded. */
  functions: Runnable[] | null;
};

const RETRY_AFTER_MS = 1_000;

export function useViewer(state: ConnectionState): Viewer {
  const client = useClient();
  const [viewer, setViewer] = useState<Viewer>({ id: '', isAdmin: false, functions: null });
  const [failures, setFailures] = useState(0);
  useEffect(() => {
    if (state !== 'live') return;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const { unsubscribe } = client.query(ViewerDocument, {}).subscribe(({ data }) => {
      if (!data?.functions) {
        retry = setTimeout(() => setFailures(failures + 1), RETRY_AFTER_MS);
        return;
      }
      const functions = data.functions.filter(({ callable }) => callable);
      setViewer({ id: data.viewer?.id ?? '', isAdmin: data.viewer?.isAdmin ?? false, functions });
    });
    return () => {
      clearTimeout(retry);
      unsubscribe();
    };
  }, [client, state, failures]);
  return viewer;
}
