"""Tests of live queries, cursors and tokens. Tests of operations are in tests/api."""
