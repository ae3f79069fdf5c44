"""Executes GraphQL: parses once, limits, executes and encodes. The only room that uses internals of
Strawberry and graphql-core.
"""
