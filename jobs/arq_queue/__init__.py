"""Unreliable messaging over Redis; the only package that imports arq and redis."""
