import { describe, expect, test } from 'vitest';
import { resumable } from '../src/resumable';
import type { Payload } from '../src/resumable';
import type { Result } from '../src/result';

const query =
  'subscription S($after: Cursor) { jobsChanged(after: $after) { cursor kind job { id } } }';

type Inner = {
  next(result: Result): void;
  error(error: unknown): void;
  complete(): void;
};

/** A client that can be told what its server does; `sent` is what each connection sends. */
class FakeClient {
  readonly sent: unknown[] = [];
  stopped = 0;
  #payload: Payload = { query: '' };
  sink: Inner = { next() {}, error() {}, complete() {} };

  subscribe = (payload: Payload, sink: Inner) => {
    this.#payload = payload;
    this.sink = sink;
    this.connect();
    return () => void this.stopped++;
  };

  connect(): void {
    this.sent.push(JSON.parse(JSON.stringify(this.#payload)).variables ?? null);
  }

  change(cursor: string, kind = 'CHANGED'): Result {
    const result = { data: { jobsChanged: { cursor, kind, job: { id: cursor } } } };
    this.sink.next(result);
    return result;
  }
}

function subscribed(payload: Payload = { query }) {
  const client = new FakeClient();
  const seen: unknown[] = [];
  const end = resumable(client).subscribe(payload, {
    next: (result: never) => void seen.push(result),
    error: (error: unknown) => void seen.push({ error }),
    complete: () => void seen.push('complete'),
  });
  return { client, seen, end };
}

const lost = [{ message: 'too old', extensions: { code: 'HISTORY_LOST' } }];
const reset = { data: { jobsChanged: { cursor: 'c1', kind: 'RESET', job: null } } };

describe('a connection that was lost', () => {
  test('is followed by one that sends the newest cursor', () => {
    const { client } = subscribed({ query, variables: { first: 5 } });
    client.change('c1');
    client.change('c2');
    client.connect();
    expect(client.sent).toEqual([{ first: 5 }, { first: 5, after: 'c2' }]);
  });

  test('before the first message is followed by the same as at first', () => {
    const { client } = subscribed({ query, variables: { after: 'mine' } });
    client.connect();
    expect(client.sent).toEqual([{ after: 'mine' }, { after: 'mine' }]);
  });

  test('is not resumed where the document has no place for a cursor', () => {
    const { client } = subscribed({ query: 'subscription { jobsChanged { cursor } }' });
    client.change('c1');
    client.connect();
    expect(client.sent).toEqual([null, null]);
  });

  test('leaves each subscription at its own place', () => {
    const [one, other] = [subscribed(), subscribed()];
    one.client.change('c1');
    other.client.change('d1');
    one.client.connect();
    expect(one.client.sent.at(-1)).toEqual({ after: 'c1' });
  });
});

test('results, errors and the end are passed on', () => {
  const { client, seen } = subscribed();
  const result = client.change('c1');
  client.sink.error('broken');
  client.sink.complete();
  expect(seen).toEqual([result, { error: 'broken' }, 'complete']);
});

test('a result without a cursor keeps the last one', () => {
  const { client, seen } = subscribed();
  client.change('c1');
  client.sink.next({ data: { jobsChanged: null }, errors: [{ message: 'x' }] });
  client.connect();
  expect(client.sent.at(-1)).toEqual({ after: 'c1' });
  expect(seen).toHaveLength(2);
});

describe('a cursor that the server refuses', () => {
  test.each([
    ['too old', lost],
    ['of another server', [{ message: 'x', extensions: { issues: [{ path: ['after'] }] } }]],
  ])('because it is %s is given up: RESET, and a new snapshot', (_, errors) => {
    const { client, seen } = subscribed({ query, variables: { after: 'mine' } });
    client.change('c1');
    client.sink.error(errors);
    expect(seen.at(-1)).toEqual(reset);
    expect(client.sent).toEqual([{ after: 'mine' }, { after: null }]);
    client.change('c9', 'SNAPSHOT');
    client.connect();
    expect(client.sent.at(-1)).toEqual({ after: 'c9' });
  });

  test('in a result, as graphql-sse gives it, is given up, too, and its end is not the end', () => {
    const { client, seen } = subscribed();
    client.change('c1');
    const { sink } = client;
    sink.next({ errors: lost });
    sink.complete();
    expect(seen.slice(1)).toEqual([reset]);
    expect(client.stopped).toBe(1);
    expect(client.sent).toHaveLength(2);
  });

  test('though it never sent one, is the caller’s own, and its error, too', () => {
    const { client, seen } = subscribed({ query, variables: { after: 'mine' } });
    client.sink.error(lost);
    expect(seen).toEqual([{ error: lost }]);
    expect(client.sent).toHaveLength(1);
  });

  test('twice in a row is an error', () => {
    const { client, seen } = subscribed();
    client.change('c1');
    client.sink.error(lost);
    client.sink.error(lost);
    expect(seen.slice(1)).toEqual([reset, { error: lost }]);
  });

  test('keeps the type name in its RESET, for caches', () => {
    const { client, seen } = subscribed();
    client.sink.next({ data: { changes: { cursor: 'c1', __typename: 'JobChange', job: {} } } });
    client.sink.error(lost);
    const changes = { cursor: 'c1', kind: 'RESET', job: null, __typename: 'JobChange' };
    expect(seen.at(-1)).toEqual({ data: { changes } });
  });
});

test('an expired token is not shown: the client comes back with another', () => {
  const { client, seen } = subscribed();
  const errors = [{ message: 'expired', extensions: { code: 'UNAUTHORIZED' } }];
  client.sink.next({ data: null, errors });
  expect(seen).toEqual([]);
});

test('ending ends it, also while it begins anew', () => {
  const { client, end } = subscribed();
  client.change('c1');
  end();
  client.sink.error(lost);
  expect(client.stopped).toBe(1);
  expect(client.sent).toHaveLength(1);
});

describe('iterating', () => {
  const iterating = () => {
    const client = new FakeClient();
    const wrapped = resumable(client) as unknown as {
      iterate(payload: Payload): AsyncGenerator<Result>;
    };
    return { client, results: wrapped.iterate({ query }) };
  };

  test('yields results until the end', async () => {
    const { client, results } = iterating();
    const first = results.next();
    const result = client.change('c1');
    expect(await first).toEqual({ value: result, done: false });
    client.sink.complete();
    expect((await results.next()).done).toBe(true);
  });

  test('throws the error, and stops when it is left', async () => {
    const { client, results } = iterating();
    const first = results.next();
    client.sink.error(new Error('broken'));
    await expect(first).rejects.toThrow('broken');
    expect(client.stopped).toBe(1);
  });
});
