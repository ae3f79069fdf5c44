"""Tunes Python's garbage collector: see docs/decisions/garbage-collector-runs-rarely.md."""

import gc
from typing import Final

THRESHOLDS: Final = (
    50_000,
    10,
    10,
)  # a full collection takes 100 ms with many sockets and a full ring


def tune_gc() -> None:
    """Collect less often, and exclude the existing objects from collection."""
    gc.set_threshold(*THRESHOLDS)
    gc.collect()
    gc.freeze()
