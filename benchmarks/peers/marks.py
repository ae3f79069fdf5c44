"""Owns what a measured job tells the benchmark: when the first began, and how late one was."""

import os
import time
from functools import cache
from pathlib import Path


@cache
def begun() -> None:
    """Note the start of this process's first job; each further call costs nothing."""
    _note(f"begun {time.time()}")


def late(due_s: float) -> None:
    """Note how long after `due_s`, in seconds of Unix time, a job started."""
    _note(f"late {time.time() - due_s}")


def _note(line: str) -> None:
    with Path(os.environ["BENCH_MARKS"]).open("a") as file:
        file.write(f"{line}\n")
