// Live lists over HTTP, where no client reconnects by itself: the list resumes with its cursor.
import assert from 'node:assert/strict';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { apolloSource } from '../../../frontend-demo/client/dist/apollo.js';
import { LiveList } from '../../../frontend-demo/client/dist/index.js';
import { urqlSource } from '../../../frontend-demo/client/dist/urql.js';
import { gate, JOBS } from './api.mjs';

/** A fetch whose connections the test can cut. `cursors` is what each subscription resumed after. */
class Network {
  cursors = [];
  #controller = new AbortController();

  fetch = (url, options) => {
    this.cursors.push(JSON.parse(options.body).variables.after ?? null);
    const signal = AbortSignal.any([options.signal, this.#controller.signal].filter(Boolean));
    return fetch(url, { ...options, signal });
  };

  cut() {
    this.#controller.abort();
    this.#controller = new AbortController();
  }
}

function states(list) {
  return Object.fromEntries(list.getSnapshot().rows.map(({ id, state }) => [id, state]));
}

async function until(list, check) {
  const { opened, open } = gate();
  const note = () => check(list.getSnapshot()) && open();
  const end = list.subscribe(note);
  note();
  await opened;
  return end;
}

/** Lose the connection, let something happen, and find the list current, without a new snapshot. */
async function resumes(api, network, source) {
  const canceled = await api.schedule();
  const list = new LiveList(source);
  const end = await until(list, ({ status }) => status === 'live');
  network.cut();
  await api.cancel(canceled);
  const missed = await api.schedule();
  await until(list, ({ rows }) => rows.some(({ id }) => id === missed));
  assert.deepEqual(states(list), { [canceled]: 'CANCELED', [missed]: 'PENDING' });
  assert.equal(list.getSnapshot().error, null);
  assert.deepEqual(network.cursors.map(Boolean), [false, true]);
  end();
}

export async function listResumesWithUrqlOverEvents(api) {
  const network = new Network();
  const client = new Client({
    url: api.url,
    fetch: network.fetch,
    fetchOptions: { headers: api.headers },
    fetchSubscriptions: true,
    exchanges: [fetchExchange],
  });
  await resumes(api, network, urqlSource(client, JOBS, {}));
}

export async function listResumesWithApolloOverMultipart(api) {
  const network = new Network();
  const link = new HttpLink({ uri: api.url, headers: api.headers, fetch: network.fetch });
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  await resumes(api, network, apolloSource(client, gql(JOBS), {}));
}
