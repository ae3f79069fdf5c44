/** What every page needs: how the API is called, the state of the connection, and the user. */
import { createContext, useContext } from 'react';
import type { Access } from '../access/access';
import type { Connection } from '../access/connection';
import type { Viewer } from '../access/useViewer';

export type Session = { access: Access; connection: Connection; viewer: Viewer };

const SessionContext = createContext<Session | null>(null);

export const SessionProvider = SessionContext.Provider;

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession needs a SessionProvider');
  return session;
}
