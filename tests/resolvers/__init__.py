"""Tests of use cases: live queries, cursors, tokens. tests/api has those that a document shows."""
