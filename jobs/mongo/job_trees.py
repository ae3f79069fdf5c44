"""Finds and cancels the unfinished jobs of a tree, in batches that may be repeated."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from pymongo import ASCENDING

from ostinato.jobs.lifecycle import ACTIVE_STATES, TransitionName
from ostinato.jobs.logs import get_log
from ostinato.jobs.mongo import transitions
from ostinato.jobs.mongo.client import Document, Mongo, summarize
from ostinato.jobs.mongo.clock import ClockTime
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.page_queries import owned_by
from ostinato.jobs.mongo.poisoned_jobs import write_bisecting
from ostinato.jobs.records import CauseKind, Job, JobState

BATCH_SIZE: Final = 500
MAX_CANCELED: Final = 10_000  # per call: about a second; the caller repeats it
MAX_VISITED: Final = 100_000  # descendants of a job that is not the first of its tree
MAX_PASSES: Final = 5
SETTLE_S: Final = 0.2
"""The time for what an action inserts after it has read that it is not canceled. An action that
takes longer reads it again."""
ROUNDS: Final = 3  # a job may be retried and start between the two guards

log = get_log(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """What the cancellation of a job's descendants has done."""

    canceled: int
    """The descendants that were canceled, or asked to stop."""
    requested: int
    """Those of them that run, and were asked to stop."""
    is_complete: bool
    """Whether no other descendant is left to cancel."""


class TreeCanceler:
    """Cancels the descendants of a job, except internal ones, and those of other owners."""

    def __init__(
        self, mongo: Mongo, clock_time: ClockTime, retention_ms: int, owner: str | None
    ) -> None:
        self._jobs = mongo[JOBS]
        self._at = transitions.now(clock_time)
        self._retention_ms = retention_ms
        self._uncanceled: Document = {
            **owned_by(owner),
            "internal": False,
            "state": {"$in": sorted(ACTIVE_STATES)},
            "cancelRequestedAt": None,
        }
        self._canceled = 0
        self._requested = 0
        self._has_found = False
        """Whether the current pass has found a job that was not canceled."""
        self._rejected: set[str] = set()
        self._is_truncated = False
        """Whether there are more descendants than one call visits."""

    async def cancel_descendants(self, job: Job) -> Cascade:
        """Cancel pending descendants and ask running ones to stop, until none is left.

        A job that was asked to stop schedules canceled jobs only, so the last pass finds no new
        ones; before it, jobs that running ones were about to insert get time to appear. A job that
        was found may have ended and scheduled others before it was canceled, so that another pass
        follows. Stops after MAX_CANCELED jobs.
        """
        has_waited = job.state is not JobState.IN_PROGRESS
        for _ in range(MAX_PASSES):
            self._has_found, requested = False, self._requested
            await self._cancel_found(job)
            if self._canceled >= MAX_CANCELED:
                break
            has_waited = has_waited and self._requested == requested
            if not self._has_found and has_waited:
                return self._cascade(is_complete=not self._is_truncated)
            if not has_waited:
                await asyncio.sleep(SETTLE_S)
                has_waited = True
        return self._cascade(is_complete=False)

    async def _cancel_found(self, job: Job) -> None:
        async with aclosing(self._find(job)) as batches:
            async for ids in batches:
                await self._cancel(ids)
                if self._canceled >= MAX_CANCELED:
                    return

    def _cascade(self, *, is_complete: bool) -> Cascade:
        return Cascade(canceled=self._canceled, requested=self._requested, is_complete=is_complete)

    def _find(self, job: Job) -> AsyncGenerator[Sequence[str], None]:
        """Yield the unfinished descendants in batches: those of the first job by an index."""
        return self._find_in_tree(job.id) if job.root_id == job.id else self._find_below(job.id)

    async def _find_in_tree(self, root_id: str) -> AsyncGenerator[Sequence[str], None]:
        last = ""
        while True:
            later = {**self._uncanceled, "rootId": root_id, "_id": {"$gt": last}}
            found = self._jobs.find(later, {"_id": 1}, sort=[("_id", ASCENDING)], limit=BATCH_SIZE)
            ids = [each["_id"] for each in await found.to_list(None)]
            if not ids:
                return
            yield ids
            last = ids[-1]

    async def _find_below(self, job_id: str) -> AsyncGenerator[Sequence[str], None]:
        """Yield level by level, so that a job is canceled before its children are read."""
        level, visited = [job_id], 0
        while level and visited < MAX_VISITED:
            children: list[str] = []
            for parents in _slices(level):
                by_cause = {"cause.id": {"$in": parents}, "cause.kind": CauseKind.JOB.value}
                found = self._jobs.find(by_cause, {"_id": 1}, batch_size=MAX_VISITED)
                children += [each["_id"] for each in await found.to_list(MAX_VISITED)]
            visited += len(children)
            for ids in _slices(children):
                yield ids
            level = children
        self._is_truncated = bool(level)

    async def _cancel(self, ids: Sequence[str]) -> None:
        """Cancel those of the jobs that are unfinished, in a few writes."""
        for _ in range(ROUNDS):
            open_jobs = {**self._uncanceled, "_id": {"$in": list(ids)}}
            found = await self._jobs.find(open_jobs, {"_id": 1}).to_list(None)
            ids = [each["_id"] for each in found if each["_id"] not in self._rejected]
            if not ids:
                return
            self._has_found = True
            cancel = transitions.pipeline(
                TransitionName.CANCEL, self._at, retention_ms=self._retention_ms
            )
            await self._write(TransitionName.CANCEL, ids, cancel)
            request = transitions.pipeline(TransitionName.REQUEST_CANCEL, self._at)
            self._requested += await self._write(TransitionName.REQUEST_CANCEL, ids, request)

    async def _write(
        self, name: TransitionName, ids: Sequence[str], update: list[dict[str, Any]]
    ) -> int:
        modified = 0

        async def write(some: Sequence[str]) -> None:
            nonlocal modified
            guard = {**transitions.guard(name, some), "cancelRequestedAt": None}
            modified += (await self._jobs.update_many(guard, update)).modified_count

        for job_id, error in await write_bisecting(ids, write):
            self._rejected.add(job_id)
            log.warning("job.not_canceled", job_id=job_id, error=summarize(error))
        self._canceled += modified
        return modified


def _slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + BATCH_SIZE] for start in range(0, len(ids), BATCH_SIZE))
