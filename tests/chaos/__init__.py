"""Tests of the chaos runs, mainly of their checker: it must detect violations."""
