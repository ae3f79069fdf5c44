"""Tests of the chaos runs, and mainly of their checker: it must be able to fail."""
