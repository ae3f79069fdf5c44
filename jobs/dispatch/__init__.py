"""Chooses the due jobs to run next, and sends them to workers through Redis; leader only."""
