// Clients of graphql-ws and graphql-sse made to resume: nothing missed, nothing twice.
import assert from 'node:assert/strict';
import { createClient as createSse } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { resumable } from '../../../frontend-demo/client/dist/index.js';
import { gate, JOBS, Messages } from './api.mjs';

/** Lose the connection, let something happen, and come back. */
export async function resumes(api) {
  const { opened, open } = gate();
  const inner = createClient({
    url: api.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${api.token}` },
    retryWait: () => opened,
  });
  const messages = new Messages();
  const end = resumable(inner).subscribe({ query: JOBS }, messages.sink);
  await messages.expect('READY');
  const first = await api.schedule();
  await messages.expect('CHANGED', 'PENDING');
  inner.terminate();
  await api.schedule();
  await api.cancel(first);
  open();
  await messages.expect('READY');
  await messages.expect('CHANGED', 'PENDING');
  await messages.expect('CHANGED', 'CANCELED');
  end();
}

/** The token expires, something happens, the client comes with another, and goes on from there. */
async function refreshes(api, clientOf) {
  const { opened: ended, open: end } = gate();
  const { opened: scheduled, open: goOn } = gate();
  const back = () => (end(), scheduled);
  const ages = [3];
  const authorization = () => `Bearer ${api.mint(ages.shift())}`;
  const messages = new Messages();
  const stop = resumable(clientOf(authorization, back)).subscribe({ query: JOBS }, messages.sink);
  await messages.expect('READY');
  await ended;
  await api.schedule();
  goOn();
  await messages.expect('READY');
  await messages.expect('CHANGED', 'PENDING');
  stop();
}

export async function socketRefreshes(api) {
  const closings = [];
  await refreshes(api, (authorization, back) =>
    createClient({
      url: api.wsUrl,
      webSocketImpl: WebSocket,
      connectionParams: () => ({ Authorization: authorization() }),
      retryWait: back,
      on: { closed: (event) => closings.push(`${event.code} ${event.reason}`) },
    }),
  );
  assert.match(closings[0], /^4403 The token has expired/);
}

export async function eventsRefresh(api) {
  await refreshes(api, (authorization, back) =>
    createSse({ url: api.url, headers: () => ({ authorization: authorization() }), retry: back }),
  );
}
