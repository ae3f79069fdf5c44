"""Owns what tests of live changes share: writers, watchers and other odd clients."""
