"""The worker process: claims due jobs, runs them, and looks after those of lost workers."""
