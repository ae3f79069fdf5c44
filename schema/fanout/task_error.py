"""Says how a task has ended to those for whom it worked."""

import asyncio

from ostinato.jobs.errors import Unavailable


def task_error(task: asyncio.Task[None]) -> Exception | None:
    """Return what they are told; None if it came to its end."""
    if task.cancelled():
        return Unavailable("the server is stopping: resume elsewhere")
    error = task.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(repr(error))
