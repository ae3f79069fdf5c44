"""Use cases and their authorization, one per function; independent of GraphQL and HTTP."""
