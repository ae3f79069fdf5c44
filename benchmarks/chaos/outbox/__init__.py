"""Chaos runs of applications that schedule jobs in transactions of their own."""
