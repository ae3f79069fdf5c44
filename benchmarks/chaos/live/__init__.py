"""Chaos runs of subscriptions: clients that lose their connections must not miss a change."""
