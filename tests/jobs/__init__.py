"""Tests of the engine on a real mongod and Valkey, in this process and in processes of its own."""
