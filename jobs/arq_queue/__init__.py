"""Redis, which carries hints and never the truth: the only package that imports arq and redis."""
