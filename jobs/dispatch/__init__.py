"""Chooses which due jobs run next, and passes them to workers through Redis; leader only."""
