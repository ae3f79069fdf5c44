"""The GraphQL API, executed on a real engine without a transport."""
