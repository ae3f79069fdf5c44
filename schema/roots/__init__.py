"""The roots of the schema: Query, Mutation and Subscription."""
