"""The worker process: claims due jobs and runs them."""
