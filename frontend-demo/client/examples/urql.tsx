import { createClient } from 'graphql-ws';
import { resumable } from 'ostinato-client';
import { useLiveJobs } from 'ostinato-client/urql';
import { Client, Provider, fetchExchange, gql, subscriptionExchange } from 'urql';

const headers = { Authorization: 'Bearer …' }; // make run prints a token
const socket = resumable(
  createClient({
    url: 'ws://127.0.0.1:8000/graphql',
    connectionParams: headers,
    retryAttempts: Infinity,
    shouldRetry: () => true,
  }),
);
const client = new Client({
  url: 'http://127.0.0.1:8000/graphql',
  fetchOptions: { headers },
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = '', variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});

type Job = { id: string; version: number; createdAt: string; functionName: string; state: string };
type Message = { kind: string; cursor: string; jobId: string | null; job: Job | null };

// GraphQL Code Generator writes these types for you.
const JOBS = gql<{ jobsChanged: Message | null }, { first?: number; after?: string }>`
  subscription Jobs($first: Int, $after: Cursor) {
    jobsChanged(snapshot: true, first: $first, after: $after) {
      kind
      cursor
      jobId
      job {
        id
        version
        createdAt
        functionName
        state
      }
    }
  }
`;

function Jobs() {
  const { rows, status, error } = useLiveJobs(JOBS, {}, { limit: 50 });
  if (status === 'loading') return <p>Loading…</p>;
  return (
    <>
      {error && <p role="alert">{error.message}</p>}
      <ul>
        {rows.map((job) => (
          <li key={job.id} title={job.id}>
            {job.functionName}: {job.state}
          </li>
        ))}
      </ul>
    </>
  );
}

export function App() {
  return (
    <Provider value={client}>
      <Jobs />
    </Provider>
  );
}
