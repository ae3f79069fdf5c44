"""Owns the promise that a child dies with its parent, even when that is killed with -9.

As a script, `leash.py PARENT_PID COMMAND…` asks the kernel for the signal, then becomes COMMAND.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; call from the main thread."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the request: nobody would signal us
            raise SystemExit(1)


def main(argv: list[str]) -> None:
    parent, command = int(argv[1]), argv[2:]
    die_with_parent(parent)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv)
