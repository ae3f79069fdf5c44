"""The engine: registry, lifecycle, worker and hub. It knows neither viewers nor GraphQL."""
