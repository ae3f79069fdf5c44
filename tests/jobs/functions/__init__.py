"""Tests of the five patterns, on a real engine and worker."""
