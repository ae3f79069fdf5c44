/** The page of one viewer: its connection, its crons and its jobs. */
import { useEffect, useState } from 'react';
import { Provider } from 'urql';
import { CronsPanel } from './crons/CronsPanel';
import { JobsPanel } from './jobs/JobsPanel';
import { PageHead } from './PageHead';
import { connect } from './access/client';
import type { Api } from './access/client';
import { useConnection } from './access/ConnectionChip';
import type { Access } from './access/access';
import { useViewer } from './access/useViewer';

type LivePageProps = { access: Access; onRefused: () => void };

export function LivePage({ access, onRefused }: LivePageProps) {
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const opened = connect(access);
    setApi(opened);
    return opened.close;
  }, [access]);
  if (!api) return null;
  return (
    <Provider value={api.client}>
      <LiveContent api={api} access={access} onRefused={onRefused} />
    </Provider>
  );
}

function LiveContent({ api, access, onRefused }: LivePageProps & { api: Api }) {
  const state = useConnection(api.connection);
  const viewer = useViewer(state);
  useEffect(() => {
    if (state === 'refused') onRefused();
  }, [state, onRefused]);
  return (
    <>
      <PageHead connection={api.connection} viewer={viewer.id} access={access} />
      <main className="page">
        <CronsPanel functions={viewer.functions} />
        <JobsPanel functions={viewer.functions} />
      </main>
    </>
  );
}
