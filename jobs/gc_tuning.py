"""How often Python's garbage collector looks at what a process holds: see docs/decisions."""

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 10, 10)  # a pass over all that sockets and the ring hold takes 100 ms


def tune_gc() -> None:
    """Let it pass over the process less often, and over what stays never."""
    gc.set_threshold(*THRESHOLDS)
    gc.collect()
    gc.freeze()
