"""Owns real processes under test, and the wait for what they do."""
