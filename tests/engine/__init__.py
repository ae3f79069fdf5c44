"""Test rig of the engine, and the functions that the tests run."""
