"""GraphQL execution: parsing, limits, execution and encoding.

The only package that uses internals of Strawberry and graphql-core.
"""
