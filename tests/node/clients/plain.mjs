// The graphql-ws client as it is.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Messages } from './api.mjs';

function subscribed(api, query, token = api.token) {
  const client = createClient({
    url: api.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryWait: async () => {},
  });
  const messages = new Messages();
  client.subscribe({ query }, messages.sink);
  return messages;
}

export async function queries(api) {
  const messages = subscribed(api, '{ viewer { id } }');
  assert.deepEqual((await messages.next()).data, { viewer: { id: 'queries' } });
  assert.deepEqual(await messages.next(), { complete: true });
}

export async function reportsAnInvalidDocument(api) {
  const { error } = await subscribed(api, 'subscription { nope }').next();
  assert.equal(error[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
}

/** A token that is refused is refused again: after its retries the client says so. */
export async function givesUp(api) {
  const { error } = await subscribed(api, '{ viewer { id } }', 'nonsense').next();
  assert.equal(error.code, 4403);
}
