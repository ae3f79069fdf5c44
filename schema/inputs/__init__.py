"""The input types of the GraphQL schema and their validation."""
