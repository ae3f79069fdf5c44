"""The object types of the GraphQL schema, each made from a record by its `of`."""
