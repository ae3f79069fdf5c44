"""Messages through Redis, any of which may be lost: the only package that imports arq and redis."""
