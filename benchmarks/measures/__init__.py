"""The measurements; each returns its results, and the reason for everything that could not run."""
