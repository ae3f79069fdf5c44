"""Owns the measures: each returns what it found, and says of what could not run why."""
