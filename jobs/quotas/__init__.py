"""Quotas: how much each owner may have at once, and the checks of it."""
