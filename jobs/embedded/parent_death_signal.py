"""Kills a child process when its parent dies, even by SIGKILL.

As a script, `parent_death_signal.py PARENT_PID COMMAND…` requests the signal from the kernel and
then executes COMMAND.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent dies; call from the main thread."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the request: no signal will come
            raise SystemExit(1)


def main(argv: list[str]) -> None:
    parent, command = int(argv[1]), argv[2:]
    die_with_parent(parent)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv)
