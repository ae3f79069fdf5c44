"""Failure recovery, run by the leader: rescue of lost workers' jobs, and repair sweeps."""
