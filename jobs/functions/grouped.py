"""The built-in functions whose jobs run in groups, and what a group reads before they run."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ostinato.jobs.functions.cron_ticks import EXECUTE_CRON
from ostinato.jobs.functions.new_cron import DEFAULT_FUNCTION
from ostinato.jobs.run_history import executions_in

MAX_RUNS_READ: Final = 5_000  # of a group; a cron with runs beyond that ticks alone

ReadMany = Callable[..., Awaitable[list[dict[str, Any]]]]
"""Reads documents by their ids: `(collection, ids, projection=None)`; what is no id is ignored."""
Prefetch = Callable[[ReadMany, Sequence[Mapping[str, Any]]], Awaitable[None]]
"""Reads what the jobs of a group will read, given their arguments."""


async def read_due_crons(read: ReadMany, args: Sequence[Mapping[str, Any]]) -> None:
    """Read the crons, with their owners and calendars, and the runs that may not have ended."""
    crons = await read("crons", [each.get("cronId") for each in args])
    await read("owners", [cron.get("owner") for cron in crons])
    excluded = [cron.get("exclusions") for cron in crons]
    await read("calendars", [each.get("calendar") for each in excluded if isinstance(each, dict)])
    await read("jobs", _runs_of(crons)[:MAX_RUNS_READ], {"state": 1})


async def read_nothing(read: ReadMany, args: Sequence[Mapping[str, Any]]) -> None:
    """Read nothing: the function reads nothing."""


def _runs_of(crons: Iterable[Mapping[str, Any]]) -> list[object]:
    return [run for cron in crons for run in (*executions_in(cron)[0], cron.get("releaseJobId"))]


GROUPED: Final[Mapping[str, Prefetch]] = {
    EXECUTE_CRON: read_due_crons,
    DEFAULT_FUNCTION: read_nothing,
}
