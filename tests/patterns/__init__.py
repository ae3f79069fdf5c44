"""The six patterns, each sentence of their specification a test, on a real engine and worker."""
