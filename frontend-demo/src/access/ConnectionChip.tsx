/** Shows the state of the live connection. */
import { useSyncExternalStore } from 'react';
import type { Connection, ConnectionState } from './connection';

const NAMES: Record<ConnectionState, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  refused: 'Token rejected',
};

export function useConnection(connection: Connection): ConnectionState {
  return useSyncExternalStore(connection.subscribe, connection.read);
}

export function ConnectionChip({ connection }: { connection: Connection }) {
  const state = useConnection(connection);
  return (
    <span role="status" className={`chip connection connection-${state}`} data-connection={state}>
      <span className="dot" aria-hidden="true" />
      {NAMES[state]}
    </span>
  );
}
