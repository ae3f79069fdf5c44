"""Kills its process at two places of a purge; processes load it as a module of functions."""

import os
import signal

from pymongo import monitoring

KILLED_DELETE = 2  # of jobs: the first slice has been committed


class PurgeKiller(monitoring.CommandListener):
    """Kills a worker in its second slice, or an API when the request for a purge is stored."""

    def __init__(self) -> None:
        self._deletes = 0
        self._has_requested = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Count the slices, and note the request."""
        if event.command.get("delete") == "jobs":
            self._deletes += 1
        if event.command_name == "update" and "purgeRequestedAt" in str(event.command):
            self._has_requested = True

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Kill the process before the commit of a slice, or after that of the request."""
        is_requested = self._has_requested and event.command_name == "commitTransaction"
        if is_requested or self._deletes == KILLED_DELETE:
            os.kill(os.getpid(), signal.SIGKILL)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore failed commands."""


monitoring.register(PurgeKiller())
