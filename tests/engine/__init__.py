"""Owns the rigs of the engine's tests, and the functions that they run."""
