/** The GraphQL client: queries and mutations over HTTP, subscriptions over one WebSocket. */
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { resumable } from 'ostinato-client';
import { Connection } from './connection';
import { authorization, freshToken } from './access';
import type { Access } from './access';

const PING_INTERVAL_MS = 12_000;

export type Api = { client: Client; connection: Connection; close: () => void };

export function connect(access: Access): Api {
  const connection = new Connection();
  access.signIn?.onToken((token) => (access.token = token));
  const socket = createClient({
    url: access.webSocketUrl,
    connectionParams: async () => authorization(await freshToken(access)),
    lazy: false, // The state of the connection is shown on pages without a subscription, too.
    onNonLazyError: () => {}, // The connection's state shows it.
    keepAlive: PING_INTERVAL_MS,
    retryAttempts: Infinity,
    retryWait: connection.waitToRetry,
    shouldRetry: () => connection.state !== 'refused',
    on: connection.handlers,
  });
  connection.onSilence = () => socket.terminate();
  const subscriptions = resumable(socket);
  const client = new Client({
    url: access.httpUrl,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: authorization(access.token) }),
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: subscriptions.subscribe({ query, variables }, sink as never),
          }),
        }),
      }),
    ],
  });
  return { client, connection, close: () => void socket.dispose() };
}
