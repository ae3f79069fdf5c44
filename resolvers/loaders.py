"""Batched lookups (DataLoader) of related objects and lists; avoids N+1 queries."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from ostinato.jobs.async_tools.batch_loader import BatchLoader
from ostinato.jobs.cron_ledger import CronTick
from ostinato.jobs.engine import Engine
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.paging import Page, Window
from ostinato.jobs.read_budget import ReadBudget
from ostinato.jobs.records import Batch, Cron, Failure, Job, RecurringTask, Request
from ostinato.jobs.time_rules import Calendar

R = TypeVar("R", Job, Cron, RecurringTask, Batch, Request, Failure)

PageKey = tuple[str, Window]
"""The jobs' cause id and the page window."""

EVERY_JOB = JobFilter(internal=None)
ORDINARY_JOBS = JobFilter(internal=False)
NO_JOBS: Page[Job] = Page(items=(), has_next=False, has_previous=False)
NO_TICK_PAGE: Page[CronTick] = Page(items=(), has_next=False, has_previous=False)


class Loaders:
    """The batch loaders of a request, restricted to `owner` (None: all owners)."""

    def __init__(self, engine: Engine, owner: str | None, budget: ReadBudget | None) -> None:
        self._reads = engine.reads.within(budget)
        self._owner = owner
        self.jobs = BatchLoader(self._of(Job))
        self.crons = BatchLoader(self._of(Cron))
        self.tasks = BatchLoader(self._of(RecurringTask))
        self.batches = BatchLoader(self._of(Batch))
        self.requests = BatchLoader(self._of(Request))
        self.failures = BatchLoader(self._of(Failure))
        self.recorded_failures = BatchLoader(self._read_recorded_failures)
        self.calendars = BatchLoader(self._read_calendars)
        self._children = BatchLoader(self._pages_of(EVERY_JOB))
        self._runs = BatchLoader(self._pages_of(ORDINARY_JOBS))
        self._ticks = BatchLoader(self._tick_pages)

    async def ticks(self, cron_id: str, window: Window) -> Page[CronTick]:
        """Read the records of a cron's ticks."""
        return await self._ticks.load((cron_id, window)) or NO_TICK_PAGE

    async def children(self, job_id: str, window: Window) -> Page[Job]:
        """Read the jobs that a job's function scheduled."""
        return await self._children.load((job_id, window)) or NO_JOBS

    async def runs(self, cause_id: str, window: Window) -> Page[Job]:
        """Read the non-internal jobs of a cron or recurring task."""
        return await self._runs.load((cause_id, window)) or NO_JOBS

    async def _read_recorded_failures(self, job_ids: Collection[str]) -> Mapping[str, Failure]:
        return await self._reads.find_recorded_failures(job_ids, self._owner)

    async def _read_calendars(self, names: Collection[str]) -> Mapping[str, Calendar]:
        return await self._reads.find_calendars(names)

    def _of(
        self, kind: type[R]
    ) -> Callable[[Collection[str]], Awaitable[Mapping[str, R | Exception]]]:
        async def read(ids: Collection[str]) -> Mapping[str, R | Exception]:
            return await self._reads.find_by_ids(kind, ids, self._owner)

        return read

    def _pages_of(
        self, which: JobFilter
    ) -> Callable[[Collection[PageKey]], Awaitable[Mapping[PageKey, Page[Job] | Exception]]]:
        async def read(keys: Collection[PageKey]) -> Mapping[PageKey, Page[Job] | Exception]:
            found: dict[PageKey, Page[Job] | Exception] = {}
            for window, ids in _by_window(keys).items():
                pages = await self._reads.find_job_pages_by_cause(self._owner, which, ids, window)
                found |= {(cause_id, window): page for cause_id, page in pages.items()}
            return found

        return read

    async def _tick_pages(
        self, keys: Collection[PageKey]
    ) -> Mapping[PageKey, Page[CronTick] | Exception]:
        found: dict[PageKey, Page[CronTick] | Exception] = {}
        for window, ids in _by_window(keys).items():
            pages = await self._reads.ticks.find_pages(self._owner, ids, window)
            found |= {(cron_id, window): page for cron_id, page in pages.items()}
        return found


def _by_window(keys: Collection[PageKey]) -> Mapping[Window, list[str]]:
    ids: defaultdict[Window, list[str]] = defaultdict(list)
    for owner_id, window in keys:
        ids[window].append(owner_id)
    return ids
