"""Notes of measured jobs: when the first one started, and how late each started."""

import os
import time
from functools import cache
from pathlib import Path


@cache
def note_start() -> None:
    """Note the start of this process's first job; later calls do nothing."""
    _note(f"begun {time.time()}")


def note_lateness(due_s: float) -> None:
    """Note how long after `due_s`, in seconds of Unix time, a job started."""
    _note(f"late {time.time() - due_s}")


def _note(line: str) -> None:
    with Path(os.environ["BENCH_MARKS"]).open("a") as file:
        file.write(f"{line}\n")
