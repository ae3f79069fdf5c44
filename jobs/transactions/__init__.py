"""Runs bodies in MongoDB transactions, one or several per transaction."""
