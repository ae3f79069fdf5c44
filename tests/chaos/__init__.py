"""Tests of the torture: of its checker above all, which must be able to fail."""
