"""Ends a TaskGroup early with an error, and finds that error again."""

from asyncio import TaskGroup
from typing import NoReturn, TypeVar

E = TypeVar("E", bound=Exception)


def end_tasks(tasks: TaskGroup, error: Exception) -> None:
    """Raise `error` in a task of the group, which cancels the others; no effect once it ends."""
    ending = _raise(error)
    try:
        tasks.create_task(ending)
    except RuntimeError:  # the group is already ending
        ending.close()


async def _raise(error: Exception) -> NoReturn:
    raise error


def first_error(group: BaseExceptionGroup[E]) -> E:
    """Return the first error in a group, which may contain groups."""
    first = group.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first
