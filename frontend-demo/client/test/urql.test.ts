import { cacheExchange } from '@urql/exchange-graphcache';
import { Client, gql, subscriptionExchange } from 'urql';
import type { Exchange } from 'urql';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { urqlSource } from '../src/urql';
import { QUERY, ScriptedServer, follow } from './scriptedServer';
import type { Data, Variables } from './scriptedServer';

const document = gql<Data, Variables>(QUERY);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function connected(...caches: Exchange[]) {
  const server = new ScriptedServer();
  const forwardSubscription = ({ variables }: { variables?: unknown }) => ({
    subscribe: (sink: never) => ({ unsubscribe: server.subscribe(variables, sink) }),
  });
  const exchanges = [...caches, subscriptionExchange({ forwardSubscription })];
  const client = new Client({ url: 'http://127.0.0.1/graphql', exchanges });
  return { server, source: urqlSource(client, document, { first: 5 }) };
}

test('equal lists have subscriptions of their own, so that each gets the snapshot', async () => {
  const { server, source } = connected();
  const first = await follow(source);
  server.last.snapshot('a');
  const second = await follow(source);
  server.last.snapshot('a');
  first.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(server.subscriptions.map(({ stopped }) => stopped)).toEqual([true, false]);
  server.last.send('CHANGED', 'b');
  expect((await second.view()).rows).toEqual(['a v1', 'b v1']);
});

describe('a subscription that ends', () => {
  test.each<[string, (server: ScriptedServer) => void, string | null]>([
    ['normally', ({ last }) => last.sink.complete(), null],
    ['with GraphQL errors', ({ last }) => last.sink.error([{ message: 'busy' }]), 'busy'],
    ['with another error', ({ last }) => last.sink.error(new Error('offline')), 'offline'],
    [
      'with errors and no data',
      ({ last }) => last.sink.next({ errors: [{ message: 'busy' }] }),
      'busy',
    ],
    [
      'in a response that is not a stream',
      ({ last }) => last.sink.next({ errors: [{ message: 'busy' }], hasNext: false }),
      'busy',
    ],
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

test('an error beside data is shown until the next message, although urql repeats it', async () => {
  const { server, source } = connected();
  const list = await follow(source);
  server.last.snapshot();
  server.last.send('CHANGED', 'a', 1, [{ message: 'no result' }]);
  expect(await list.view()).toEqual({ rows: ['a v1'], error: 'no result' });
  server.last.send('CHANGED', 'b');
  expect(await list.view()).toEqual({ rows: ['a v1', 'b v1'], error: null });
  server.last.send('CHECKPOINT', null, 1, [{ message: 'no result' }]);
  expect((await list.view()).error).toBe('no result');
  expect(server.subscriptions).toHaveLength(1);
});

test('a list works above graphcache, without warnings if the types of messages have no keys', async () => {
  const warn = vi.spyOn(console, 'warn');
  const { server, source } = connected(cacheExchange({ keys: { JobChange: () => null } }));
  const list = await follow(source);
  server.last.snapshot('a', 'b');
  server.last.send('CHANGED', 'a', 2);
  server.last.send('LEFT', 'b');
  expect(await list.view()).toEqual({ rows: ['a v2'], error: null });
  server.last.sink.error([{ message: 'busy' }]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.last.variables).toEqual({ first: 5, after: 'c5' });
  expect(warn).not.toHaveBeenCalled();
});

test('a document without $after is an error', () => {
  const query = 'subscription { jobsChanged { kind } }';
  expect(() => urqlSource({} as Client, gql(query), {})).toThrow('declare $after: Cursor');
  expect(() => urqlSource({} as Client, query, {})).toThrow('declare $after: Cursor');
});
