"""What `make audit` runs: attempts to read, stop or slow what belongs to others."""
