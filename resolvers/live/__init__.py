"""Live queries: subscriptions, their feeds, messages and cursors."""
