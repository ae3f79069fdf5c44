import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import type { TypedDocumentNode } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { ApolloProvider } from '@apollo/client/react';
import { createClient } from 'graphql-ws';
import { resumable } from 'ostinato-client';
import { useLiveQuery } from 'ostinato-client/apollo';

const headers = { Authorization: 'Bearer …' }; // make run prints a token
const socket = resumable(
  createClient({
    url: 'ws://127.0.0.1:8000/graphql',
    connectionParams: headers,
    retryAttempts: Infinity,
    shouldRetry: () => true,
  }),
);
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(socket),
    new HttpLink({ uri: 'http://127.0.0.1:8000/graphql', headers }),
  ),
});

type Job = { id: string; version: number; functionName: string; state: string };
type Message = { kind: string; cursor: string; jobId: string | null; job: Job | null };
type Variables = { states: string[]; after?: string };

// GraphQL Code Generator writes these types for you.
const JOBS_IN: TypedDocumentNode<{ jobsChanged: Message | null }, Variables> = gql`
  subscription JobsIn($states: [JobState!]!, $after: Cursor) {
    jobsChanged(filter: { states: $states }, snapshot: true, after: $after) {
      kind
      cursor
      jobId
      job {
        id
        version
        functionName
        state
      }
    }
  }
`;

const byFunction = (a: Job, b: Job) => a.functionName.localeCompare(b.functionName);

function Jobs() {
  const variables = { states: ['PENDING', 'CANCELED'] };
  const { rows, status, error } = useLiveQuery(JOBS_IN, variables, { order: byFunction });
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
    <ApolloProvider client={client}>
      <Jobs />
    </ApolloProvider>
  );
}
