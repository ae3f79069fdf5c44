/** The application of one user: its connection, its navigation and its pages. */
import { Suspense, useEffect, useState } from 'react';
import type { ReactNode } from 'react';
import { HashRouter, Navigate, Route, Routes, useLocation } from 'react-router';
import { Provider } from 'urql';
import { CSPProvider } from '@base-ui/react/csp-provider';
import { Toast } from '@base-ui/react/toast';
import { connect } from '../access/client';
import type { Api } from '../access/client';
import { useConnection } from '../access/ConnectionChip';
import type { Access } from '../access/access';
import { useViewer } from '../access/useViewer';
import { ErrorBoundary } from '../ui/ErrorBoundary';
import { Skeleton } from '../ui/Skeleton';
import { Toasts } from '../ui/Toasts';
import { NotFoundPage } from './NotFoundPage';
import { DETAIL_PAGES, PAGES } from './pages';
import { SessionProvider } from './session';
import { Shell } from './Shell';

type AppProps = { access: Access; onRefused: () => void };

export function App({ access, onRefused }: AppProps) {
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const opened = connect(access);
    setApi(opened);
    return opened.close;
  }, [access]);
  if (!api) return null;
  return (
    <Provider value={api.client}>
      {/* The page's content policy allows no style elements. */}
      <CSPProvider disableStyleElements>
        <Toast.Provider>
          <ConnectedApp api={api} access={access} onRefused={onRefused} />
          <Toasts />
        </Toast.Provider>
      </CSPProvider>
    </Provider>
  );
}

/** The code of a page is loaded when it is opened; another page is tried anew. */
function PageBoundary({ children }: { children: ReactNode }) {
  const { pathname } = useLocation();
  return (
    <ErrorBoundary key={pathname}>
      <Suspense fallback={<Skeleton label="page" />}>{children}</Suspense>
    </ErrorBoundary>
  );
}

function ConnectedApp({ api, access, onRefused }: AppProps & { api: Api }) {
  const state = useConnection(api.connection);
  const viewer = useViewer(state);
  useEffect(() => {
    if (state === 'refused') onRefused();
  }, [state, onRefused]);
  return (
    <SessionProvider value={{ access, connection: api.connection, viewer }}>
      <HashRouter>
        <Shell>
          <PageBoundary>
            <Routes>
              <Route index element={<Navigate to={`/${PAGES[0]?.path}`} replace />} />
              {[...PAGES, ...DETAIL_PAGES].map(({ path, page: Page }) => (
                <Route key={path} path={path} element={<Page />} />
              ))}
              <Route path="*" element={<NotFoundPage />} />
            </Routes>
          </PageBoundary>
        </Shell>
      </HashRouter>
    </SessionProvider>
  );
}
