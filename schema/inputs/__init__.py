"""The input types of the GraphQL schema, with the limits of each field."""
