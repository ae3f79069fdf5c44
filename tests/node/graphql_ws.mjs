// Subscribes with the graphql-ws client, giving one token per connection, and prints what happens.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, query, ...tokens] = process.argv.slice(2);
const say = (event) => console.log(JSON.stringify(event));
let connections = 0;

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  retryWait: async () => {},
  connectionParams: () => ({ Authorization: `Bearer ${tokens[Math.min(connections++, tokens.length - 1)]}` }),
  on: {
    connected: () => say({ connected: connections }),
    closed: (event) => say({ closed: event.code }),
  },
});

client.subscribe(
  { query },
  {
    next: (value) => say({ next: value }),
    error: (error) => say({ error: error.code ?? error }),
    complete: () => say({ complete: true }),
  },
);
