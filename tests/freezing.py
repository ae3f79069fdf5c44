"""Excludes from collection what the nursery has imported: its forks would copy those pages."""

import gc

gc.collect()
gc.freeze()
