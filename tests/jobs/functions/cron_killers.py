"""Kills its process before or after it commits a change of a cron; processes load it as a module of
functions. The variable `KILL_AT` tells which."""

import os
import signal

from pymongo import monitoring

KILL_AT = "CRON_KILLER_KILLS_AT"
BEFORE, AFTER = "before", "after"


class CronKiller(monitoring.CommandListener):
    """Kills the process at the commit of the first transaction that changes a cron."""

    def __init__(self, when: str) -> None:
        self._when = when
        self._transaction: object = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note the transaction, and kill the process before its commit."""
        command = event.command
        if command.get("update") == "crons" and "txnNumber" in command:
            self._transaction = _transaction_of(event)
        if self._when == BEFORE and self._commits(event):
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Kill the process after the commit, before it answers."""
        if self._transaction is not None and event.command_name == "commitTransaction":
            os.kill(os.getpid(), signal.SIGKILL)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore failed commands."""

    def _commits(self, event: monitoring.CommandStartedEvent) -> bool:
        is_commit = event.command_name == "commitTransaction"
        return is_commit and _transaction_of(event) == self._transaction


def _transaction_of(event: monitoring.CommandStartedEvent) -> tuple[object, object]:
    return str(event.command["lsid"]), event.command["txnNumber"]


if KILL_AT in os.environ:
    monitoring.register(CronKiller(os.environ[KILL_AT]))
