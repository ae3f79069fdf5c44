/** Who the viewer is and what it may run; asked again after each reconnection. */
import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import type { Runnable } from '../form/functions';
import { WelcomeDocument } from '../generated';
import type { ConnectionState } from './connection';

export type Welcome = { viewer: string; functions: Runnable[] };

export function useWelcome(state: ConnectionState): Welcome {
  const client = useClient();
  const [welcome, setWelcome] = useState<Welcome>({ viewer: '', functions: [] });
  useEffect(() => {
    if (state !== 'live') return;
    const { unsubscribe } = client.query(WelcomeDocument, {}).subscribe(({ data }) => {
      if (!data) return;
      const functions = (data.functions ?? []).filter(({ callable }) => callable);
      setWelcome({ viewer: data.viewer?.id ?? '', functions });
    });
    return unsubscribe;
  }, [client, state]);
  return welcome;
}
