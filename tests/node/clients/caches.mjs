// Clients with caches: a change of a job reaches what was queried before, by the job's id.
import { createHash } from 'node:crypto';
import assert from 'node:assert/strict';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import Relay from 'relay-runtime';
import WebSocket from 'ws';
import { resumable } from '../../../frontend-demo/client/dist/index.js';
import { JOBS, Messages } from './api.mjs';

const LIST = 'query List { jobs { nodes { id state version } } }';

function socket(api) {
  return createClient({
    url: api.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${api.token}` },
  });
}

/** Watch with a client that is already subscribed, and see a job be canceled. */
async function follow(api, subscribe, stateOf) {
  const messages = new Messages();
  const end = subscribe(messages.sink);
  await messages.expect('SNAPSHOT', 'PENDING');
  await messages.expect('READY');
  const [{ id }] = (await api.call(LIST)).jobs.nodes;
  assert.equal(await stateOf(id), 'PENDING');
  await api.cancel(id);
  await messages.expect('CHANGED', 'CANCELED');
  assert.equal(await stateOf(id), 'CANCELED');
  end();
}

async function followWithApollo(api, link) {
  await api.schedule();
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  await client.query({ query: gql(LIST) });
  const stateOf = () => client.readQuery({ query: gql(LIST) }).jobs.nodes[0].state;
  const subscribe = (sink) => {
    const subscription = client.subscribe({ query: gql(JOBS) }).subscribe(sink);
    return () => subscription.unsubscribe();
  };
  await follow(api, subscribe, stateOf);
  client.stop();
}

export async function apolloOverSocket(api) {
  const inner = socket(api);
  const http = new HttpLink({ uri: api.url, headers: api.headers });
  const live = new GraphQLWsLink(resumable(inner));
  const isLive = ({ operationType }) => operationType === 'subscription';
  await followWithApollo(api, ApolloLink.split(isLive, live, http));
  await inner.dispose();
}

export async function apolloOverMultipart(api) {
  await followWithApollo(api, new HttpLink({ uri: api.url, headers: api.headers }));
}

/** What ends an answer in parts is an error of the protocol to Apollo, and none of the operation. */
export async function apolloIsToldOfTheExpiry(api) {
  const headers = { authorization: `Bearer ${api.mint(2)}` };
  const client = new ApolloClient({ link: new HttpLink({ uri: api.url, headers }), cache: new InMemoryCache() });
  const error = await new Promise((resolve) => {
    const next = (result) => result.error && resolve(result.error);
    client.subscribe({ query: gql(JOBS) }).subscribe({ next, error: resolve });
  });
  assert.equal(error.name, 'CombinedProtocolErrors');
  assert.equal(error.errors[0].extensions.code, 'UNAUTHORIZED');
}

/** Apollo sends a hash, is asked for the document, sends both, and then the hash is enough. */
export async function apolloPersisted(api) {
  const bodies = [];
  const fetched = (url, options) => {
    bodies.push(JSON.parse(options.body));
    return fetch(url, options);
  };
  const sha256 = (text) => createHash('sha256').update(text).digest('hex');
  const link = ApolloLink.from([
    new PersistedQueryLink({ sha256 }),
    new HttpLink({ uri: api.url, headers: api.headers, fetch: fetched }),
  ]);
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const query = gql`query Persisted${Date.now()} { viewer { id } }`;
  for (let i = 0; i < 2; i++) await client.query({ query, fetchPolicy: 'network-only' });
  assert.deepEqual(bodies.map((body) => body.query !== undefined), [false, true, false]);
}

async function followWithUrql(api, client) {
  await api.schedule();
  const states = new Map();
  await follow(
    api,
    (sink) => {
      const note = (result) => {
        const job = result.data?.jobsChanged?.job;
        if (job) states.set(job.id, job.state);
        sink.next(result);
      };
      return client.subscription(JOBS, {}).subscribe(note).unsubscribe;
    },
    (id) => states.get(id),
  );
}

export async function urqlOverSocket(api) {
  const inner = socket(api);
  const live = resumable(inner);
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: live.subscribe({ query, variables }, sink) }),
  });
  const exchanges = [fetchExchange, subscriptionExchange({ forwardSubscription })];
  await followWithUrql(api, new Client({ url: api.url, exchanges }));
  await inner.dispose();
}

export async function urqlOverEvents(api) {
  const client = new Client({
    url: api.url,
    fetchOptions: { headers: api.headers },
    fetchSubscriptions: true,
    exchanges: [fetchExchange],
  });
  await followWithUrql(api, client);
}

const scalar = (name) => ({ kind: 'ScalarField', name, alias: null, args: null, storageKey: null });
const linked = (name, concreteType, selections) => ({
  kind: 'LinkedField', name, concreteType, selections, alias: null, args: null, plural: false, storageKey: null,
});

/** What relay-compiler makes of the subscription. */
function artifact() {
  const job = linked('job', 'Job', ['__typename', 'id', 'state', 'version'].map(scalar));
  const fields = ['__typename', 'kind', 'cursor', 'jobId'].map(scalar);
  const selections = [linked('jobsChanged', 'JobChange', [...fields, job])];
  const argumentDefinitions = [];
  return {
    kind: 'Request',
    fragment: { kind: 'Fragment', name: 'Jobs', type: 'Subscription', argumentDefinitions, selections },
    operation: { kind: 'Operation', name: 'Jobs', argumentDefinitions, selections },
    params: { cacheID: 'jobs', id: null, metadata: {}, name: 'Jobs', operationKind: 'subscription', text: JOBS },
  };
}

export async function relayOverSocket(api) {
  const { Environment, Network, Observable, RecordSource, requestSubscription, Store } = Relay;
  await api.schedule();
  const inner = socket(api);
  const live = resumable(inner);
  const network = Network.create(
    ({ text }, variables) => api.call(text, variables),
    ({ text, name }, variables) =>
      Observable.create((sink) => live.subscribe({ query: text, operationName: name, variables }, sink)),
  );
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const subscribe = (sink) => {
    const onNext = (data) => sink.next({ data });
    const config = { subscription: artifact(), variables: {}, onNext, onError: sink.error };
    return requestSubscription(environment, config).dispose;
  };
  await follow(api, subscribe, (id) => environment.getStore().getSource().get(id)?.state);
  await inner.dispose();
}
