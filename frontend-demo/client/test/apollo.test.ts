import { ApolloClient, ApolloLink, InMemoryCache, Observable, gql } from '@apollo/client';
import type { TypedDocumentNode } from '@apollo/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { apolloSource } from '../src/apollo';
import { QUERY, ScriptedServer, follow } from './scriptedServer';
import type { Data, Variables } from './scriptedServer';

const document: TypedDocumentNode<Data, Variables> = gql(QUERY);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function connected(fetchPolicy?: 'no-cache') {
  const server = new ScriptedServer();
  const link = new ApolloLink(
    ({ variables }) => new Observable((sink) => server.subscribe(variables, sink as never)),
  );
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  return { client, server, source: apolloSource(client, document, { first: 5 }, fetchPolicy) };
}

test('equal lists have subscriptions of their own, so that each gets the snapshot', async () => {
  const { server, source } = connected();
  const lists = [await follow(source), await follow(source)];
  server.subscriptions.forEach((each) => each.snapshot('a'));
  const late = await follow(source);
  server.last.snapshot('a');
  expect(server.subscriptions).toHaveLength(3);
  for (const list of [...lists, late]) expect((await list.view()).rows).toEqual(['a v1']);
});

describe('a subscription that ends', () => {
  test.each<[string, (server: ScriptedServer) => void, string | null]>([
    ['normally', ({ last }) => last.sink.complete(), null],
    [
      'with errors and no data',
      ({ last }) => last.sink.next({ errors: [{ message: 'busy' }] }),
      'busy',
    ],
    ['with an error', ({ last }) => last.sink.error(new Error('offline')), 'offline'],
  ])('%s is resumed', async (_, endIt, message) => {
    const { server, source } = connected();
    const list = await follow(source);
    server.last.snapshot('a');
    endIt(server);
    expect(await list.view()).toEqual({ rows: ['a v1'], error: message });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.subscriptions.map(({ variables }) => variables)).toEqual([
      { first: 5 },
      { first: 5, after: 'c2' },
    ]);
    server.last.send('READY');
    server.last.send('CHANGED', 'a', 2);
    expect(await list.view()).toEqual({ rows: ['a v2'], error: null });
  });
});

test('an error beside data is shown, and Apollo does not drop the data', async () => {
  const { server, source } = connected();
  const list = await follow(source);
  server.last.snapshot();
  server.last.send('CHANGED', 'a', 1, [{ message: 'no result' }]);
  expect(await list.view()).toEqual({ rows: ['a v1'], error: 'no result' });
  server.last.send('CHECKPOINT');
  expect(await list.view()).toEqual({ rows: ['a v1'], error: null });
  expect(server.subscriptions).toHaveLength(1);
});

test.each([
  ['updated', undefined, 'v2'],
  ['not touched with no-cache', 'no-cache', 'v1'],
] as const)('the cache is %s', async (_, fetchPolicy, state) => {
  const { client, server, source } = connected(fetchPolicy);
  const id = 'Job:a';
  const fragment = gql`
    fragment State on Job {
      state
    }
  `;
  client.writeFragment({ id, fragment, data: { __typename: 'Job', state: 'v1' } });
  const list = await follow(source);
  server.last.snapshot('a');
  server.last.send('CHANGED', 'a', 2);
  expect((await list.view()).rows).toEqual(['a v2']);
  expect(client.readFragment({ id, fragment })).toMatchObject({ state });
});

test('a document without $after is an error', () => {
  const query = gql('subscription { jobsChanged { kind } }');
  expect(() => apolloSource({} as ApolloClient, query, {}, undefined)).toThrow('declare $after');
});
