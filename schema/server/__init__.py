"""The ASGI application around the GraphQL transports, and the server that runs it."""
