// Watches with a client that resumes for ever, and prints the kind of each message.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { resumable } from '../../frontend-demo/client/dist/index.js';
import { JOBS } from './clients/api.mjs';

const [url, token] = process.argv.slice(2);
const client = resumable(
  createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: Infinity,
    shouldRetry: () => true, // also while nothing listens
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
  }),
);
for await (const { data } of client.iterate({ query: JOBS })) {
  console.log(JSON.stringify(data.jobsChanged.kind));
}
