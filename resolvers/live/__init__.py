"""Live queries: the messages of subscriptions, and their cursors."""
