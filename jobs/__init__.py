"""The engine: registry, lifecycle, worker and hub. Must not depend on viewers or GraphQL."""
