"""Tests of the engine with a real mongod and Valkey, in this process and in child processes."""
