/** GraphiQL, without any resource from another server. */
import 'graphiql/setup-workers/vite';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import '../styles/base.css';
import '../styles/form.css';
import '../styles/graphiql.css';
import { StopOnTabChange } from './StopOnTabChange';
import { examples } from './examples';
import { authorization } from '../access/access';
import type { Access } from '../access/access';
import { AccessGate } from '../access/AccessGate';

const PLUGINS = [HISTORY_PLUGIN, explorerPlugin()];

function Explorer({ access }: { access: Access }) {
  const headers = authorization(access.token);
  const shownHeaders = JSON.stringify(headers, null, 2);
  const fetcher = createGraphiQLFetcher({
    url: access.httpUrl,
    subscriptionUrl: access.webSocketUrl,
    headers,
    wsConnectionParams: headers,
  });
  // `/graphiql?query=…` links to a document.
  const query = new URLSearchParams(location.search).get('query');
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={PLUGINS}
      {...(query === null ? { defaultTabs: examples(shownHeaders, access.flakyUrl) } : { initialQuery: query })}
      initialHeaders={shownHeaders}
      defaultHeaders={shownHeaders}
      defaultEditorToolsVisibility={false}
    >
      <GraphiQL.Logo>
        <a href="./">Ostinato</a>
        <StopOnTabChange />
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

createRoot(document.getElementById('root')!).render(
  <AccessGate>{(access) => <Explorer access={access} />}</AccessGate>,
);
