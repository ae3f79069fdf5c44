"""Injects faults into an installation under load, and checks the guarantees from its logs."""
