"""Shared parts of tests of live queries: writers, clients, servers and value strategies."""
