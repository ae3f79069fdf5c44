"""The objects of ann in the owner matrix, with a text that nobody else may receive."""

from typing import Any, Final

MARKER: Final = "only-ann-may-read-this"
READABLE: Final[dict[str, dict[str, Any]]] = {
    "job": {"args": {"name": MARKER}, "functionName": "tasks.runTask"},
    "cron": {"name": MARKER, "args": {"name": MARKER}},
    "cron_tick": {},
    "recurring_task": {"taskId": "t", "args": {"name": MARKER}},
    "batch": {},
    "request": {"data": MARKER},
    "failure": {"data": {"name": MARKER}},
    "alert": {"message": MARKER},
    "bulk_action": {"errors": [{"id": "0" * 24, "outcome": "malformed", "message": MARKER}]},
}
"""Fields of ann's objects, with a text that nobody else may receive."""


COLLECTIONS: Final = {
    "job": "jobs",
    "cron": "crons",
    "cron_tick": "cronTicks",
    "recurring_task": "taskConfigs",
    "batch": "batches",
    "request": "requests",
    "failure": "failures",
    "alert": "alerts",
    "bulk_action": "bulkActions",
}
