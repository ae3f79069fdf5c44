"""Tests of the six patterns, on a real engine and worker."""
