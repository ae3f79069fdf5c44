"""The object types of the GraphQL schema; `of` builds each from its record."""
