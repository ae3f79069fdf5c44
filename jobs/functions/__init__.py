"""The built-in functions: patterns of scheduled work, written with the API of a user's functions.

Beyond it, they use `ctx.db.internal_collection` to write the collections of crons, tasks, batches,
requests and failures, the scheduler's option `tick=`, which deduplicates jobs, and the modules that
convert documents and compute schedules. Importing the package registers them.
"""

from ostinato.jobs.functions import (
    actions,
    batch,
    batch_pages,
    bulk_actions,
    cron_runs,
    crons,
    failures,
    owners,
    requests,
    tasks,
)

__all__ = [
    "actions",
    "batch",
    "batch_pages",
    "bulk_actions",
    "cron_runs",
    "crons",
    "failures",
    "owners",
    "requests",
    "tasks",
]
