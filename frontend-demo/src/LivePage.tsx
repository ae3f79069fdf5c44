/** The page of one session: its connection, its crons and its jobs. */
import { useEffect, useState } from 'react';
import { Provider } from 'urql';
import { CronsPanel } from './crons/CronsPanel';
import { JobsPanel } from './jobs/JobsPanel';
import { PageHead } from './PageHead';
import { connect } from './session/client';
import type { Api } from './session/client';
import { useConnection } from './session/ConnectionChip';
import type { Session } from './session/session';
import { useWelcome } from './session/useWelcome';

type LivePageProps = { session: Session; onRefused: () => void };

export function LivePage({ session, onRefused }: LivePageProps) {
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const opened = connect(session);
    setApi(opened);
    return opened.close;
  }, [session]);
  if (!api) return null;
  return (
    <Provider value={api.client}>
      <LiveContent api={api} session={session} onRefused={onRefused} />
    </Provider>
  );
}

function LiveContent({ api, session, onRefused }: LivePageProps & { api: Api }) {
  const state = useConnection(api.connection);
  const welcome = useWelcome(state);
  useEffect(() => {
    if (state === 'refused') onRefused();
  }, [state, onRefused]);
  return (
    <>
      <PageHead connection={api.connection} viewer={welcome.viewer} pasted={session.pasted} />
      <main className="page">
        <CronsPanel functions={welcome.functions} />
        <JobsPanel functions={welcome.functions} />
      </main>
    </>
  );
}
