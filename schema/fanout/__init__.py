"""Executes equal subscriptions once, and sends the results to all of their clients."""
