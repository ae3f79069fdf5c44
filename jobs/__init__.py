"""The engine: registry, lifecycle, worker, change feed. Must not depend on viewers or GraphQL."""
