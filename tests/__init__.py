"""Owns the tests: real servers, no mocks of our own code."""
