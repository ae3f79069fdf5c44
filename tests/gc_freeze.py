"""Excludes from collection what the fork server has imported: its forks would copy those pages."""

import gc

gc.collect()
gc.freeze()
