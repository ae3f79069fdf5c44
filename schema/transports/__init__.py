"""GraphQL over HTTP, event streams and WebSocket."""
