"""Runs bodies in MongoDB transactions, each alone or several in one."""
