"""Live queries: what a viewer may follow, and the messages that result."""
