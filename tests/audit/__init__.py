"""The audits of the whole API: attempts to read, stop or slow what belongs to others."""
