"""Tortures the live layer: clients that watch, are cut off and come back, must miss nothing."""
