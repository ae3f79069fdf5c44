"""The input types of the GraphQL schema, with the limits that each field must keep."""
