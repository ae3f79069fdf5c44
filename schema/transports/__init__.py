"""How GraphQL travels: over HTTP and WebSocket, all executed in one place."""
