"""Heartbeats and leader leases, by the server's real clock (unaffected by test modes)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.errors import Malformed
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import JOBS, LEADERS, WORKERS
from ostinato.jobs.mongo.indexes import read_with_hint
from ostinato.jobs.records import JobState
from ostinato.jobs.worker_records import Heartbeat, WorkerRecord

MAX_SLOTS: Final = 10_000  # the maximum of the setting
MAX_LEASE_MS: Final = 3_600_000  # far longer than any lease, even after the server's clock jumped

W = TypeVar("W", "FleetWorker", WorkerRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTotals:
    """Totals over live workers (heartbeat within the lease)."""

    workers: int = 0
    slots: int = 0
    running: int = 0
    """Slots in use."""
    loop_lag_ms: int = 0
    """Maximum event loop lag."""


@dataclass(frozen=True, slots=True)
class FleetWorker:
    """A worker as seen by the dispatcher."""

    slots: int
    queues: frozenset[str]
    unwritable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fleet:
    """The registered workers, with their total slots and the queues that they serve."""

    workers: tuple["FleetWorker", ...]

    def queues(self) -> set[str]:
        return {queue for worker in self.workers for queue in worker.queues}

    def unwritable(self) -> frozenset[str]:
        """Return the jobs in quarantine, which must not be dispatched: writes to them failed."""
        return frozenset().union(*(worker.unwritable for worker in self.workers))

    def size(self, queue: str) -> int:
        """Return the number of workers that serve a queue."""
        return sum(1 for worker in self.workers if queue in worker.queues)

    def slots(self, queue: str | None = None) -> int:
        """Return the total slots of the workers that serve a queue, or of all workers."""
        serving = (one for one in self.workers if queue is None or queue in one.queues)
        return sum(worker.slots for worker in serving)


class WorkerStore:
    """Registered workers, their heartbeats, and leader leases."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._workers = mongo[WORKERS]

    async def register(self, worker_id: str, fields: dict[str, Any]) -> None:
        await self._workers.update_one(
            {"_id": worker_id},
            [{"$set": {**_literals(fields), "startedAt": "$$NOW", "heardAt": "$$NOW"}}],
            upsert=True,
        )

    async def heartbeat(self, worker_id: str, heartbeat: Heartbeat) -> datetime | None:
        """Write a worker's heartbeat; returns the server's time, or None if the worker has been
        declared lost."""
        fields = {
            "running": heartbeat.running,
            "loopLagMs": heartbeat.loop_lag_ms,
            "jobIds": list(heartbeat.job_ids),
            "unwritable": list(heartbeat.unwritable),
        }
        row: Document | None = await self._workers.find_one_and_update(
            {"_id": worker_id},
            [{"$set": {**_literals(fields), "heardAt": "$$NOW"}}],
            {"heardAt": 1},
            return_document=ReturnDocument.AFTER,
        )
        return row["heardAt"] if row else None

    async def find_all(self) -> list[WorkerRecord]:
        """Return the registered workers, oldest first."""
        rows = await self._workers.find({}, sort=[("_id", 1)]).to_list(None)
        return _decode_valid(rows, _worker_from)

    async def remove(self, worker_id: str) -> None:
        await self._workers.delete_one({"_id": worker_id})

    async def read_fleet(self) -> Fleet:
        """Return the registered workers' slots, queues and unwritable jobs."""
        rows = await self._workers.find(
            {}, {"concurrency": 1, "queues": 1, "unwritable": 1}
        ).to_list(None)
        return Fleet(tuple(_decode_valid(rows, _fleet_worker_from)))

    async def read_totals(self, lease_ms: int) -> WorkerTotals:
        """Return the totals over workers with a heartbeat within `lease_ms`."""
        totals = {
            "workers": {"$sum": 1},
            "slots": {"$sum": "$concurrency"},
            "running": {"$sum": "$running"},
            "loop_lag_ms": {"$max": {"$cond": [{"$isNumber": "$loopLagMs"}, "$loopLagMs", 0]}},
        }
        found = self._workers.aggregate(
            [
                {"$match": heard_within(lease_ms)},
                {"$group": {"_id": None, **totals}},
                {"$unset": "_id"},
            ]
        )
        rows = await found.to_list(None)
        return WorkerTotals(**rows[0]) if rows else WorkerTotals()

    async def find_served_queues(self, within_ms: int) -> frozenset[str]:
        """Return the queues served by workers with a heartbeat within `within_ms`."""
        serving = self._workers.find(serving_within(within_ms), {"queues": 1})
        return queues_of(await serving.to_list(None))

    async def find_expired(self, for_ms: int) -> list[str]:
        """Return the workers without a heartbeat for at least `for_ms`."""
        silent = {"$expr": {"$lt": ["$heardAt", _ago(for_ms)]}}
        return [row["_id"] async for row in self._workers.find(silent, {"_id": 1})]

    async def find_unregistered_holders(self) -> list[Any]:
        """Return the unregistered workers that hold running jobs: they were declared lost or have
        shut down, and cannot come back."""
        holders = await self._holders()  # first: a worker registers before it claims a job
        registered = {"_id": {"$type": "string"}}
        known = {row["_id"] async for row in self._workers.find(registered, {"_id": 1})}
        return [one for one in holders if type(one) is not str or one not in known]

    async def _holders(self) -> list[Any]:
        running = {"$match": {"state": JobState.IN_PROGRESS.value}}
        pipeline = [running, {"$group": {"_id": "$lease.worker"}}]
        jobs = self._mongo[JOBS]
        found = await read_with_hint(
            "running", lambda **hint: jobs.aggregate(pipeline, **hint).to_list(None)
        )
        return [row["_id"] for row in found]

    async def acquire_leadership(self, role: str, worker_id: str, lease_ms: int) -> bool:
        """Acquire or renew the leader lease of `role`; returns False if another worker holds it."""
        is_own = {"$eq": ["$worker", {"$literal": worker_id}]}
        # A malformed lease counts as expired, or it would block elections forever.
        furthest = {"$add": ["$$NOW", max(MAX_LEASE_MS, lease_ms)]}
        is_held = {
            "$and": [
                {"$eq": [{"$type": "$worker"}, "string"]},
                {"$eq": [{"$type": "$until"}, "date"]},
                {"$gte": ["$until", "$$NOW"]},
                {"$lte": ["$until", furthest]},
            ]
        }
        is_acquired = {"$or": [is_own, {"$not": [is_held]}]}
        until = {"$add": ["$$NOW", lease_ms]}
        try:
            leader = await self._mongo[LEADERS].find_one_and_update(
                {"_id": role},
                [
                    {
                        "$set": {
                            "worker": {"$cond": [is_acquired, {"$literal": worker_id}, "$worker"]},
                            "until": {"$cond": [is_acquired, until, "$until"]},
                        }
                    }
                ],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # another worker inserted its lease first
            return False
        return bool(leader["worker"] == worker_id)

    async def release_leadership(self, role: str, worker_id: str) -> None:
        await self._mongo[LEADERS].delete_one({"_id": role, "worker": worker_id})


def heard_within(ms: int) -> Document:
    """Build the filter for workers with a heartbeat within the last `ms` milliseconds."""
    return {"$expr": {"$gte": ["$heardAt", _ago(ms)]}}


def serving_within(ms: int) -> Document:
    """Build the filter for live workers with a list of queues; skips malformed documents."""
    return {**heard_within(ms), "queues": {"$type": "array"}}


def queues_of(serving: Iterable[Document]) -> frozenset[str]:
    """Return the queues of the documents that `serving_within` matches."""
    queues = (queue for row in serving for queue in row["queues"])
    return frozenset(queue for queue in queues if type(queue) is str)


def _ago(ms: int) -> Document:
    return {"$subtract": ["$$NOW", ms]}


def _decode_valid(rows: Iterable[Document], decode: Callable[[Mapping[str, Any]], W]) -> list[W]:
    """Decode heartbeats; malformed ones are logged and left out."""
    found: list[W] = []
    for row in rows:
        try:
            found.append(read_as(decode, row))
        except Malformed as error:
            report(WORKERS, row["_id"], error)
    return found


def _fleet_worker_from(row: Mapping[str, Any]) -> FleetWorker:
    slots, unwritable = row["concurrency"], row.get("unwritable", ())
    if not 1 <= slots <= MAX_SLOTS:
        raise ValueError(f"concurrency is {slots}; it must be from 1 to {MAX_SLOTS}")
    return FleetWorker(
        int(slots), frozenset(_strings(row["queues"])), frozenset(_strings(unwritable))
    )


def _strings(values: Iterable[object]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(type(each) is str for each in values):
        raise TypeError("must be a list of strings")
    return tuple(values)  # type: ignore[arg-type]


def _worker_from(row: Mapping[str, Any]) -> WorkerRecord:
    return WorkerRecord(
        id=row["_id"],
        host=row["host"],
        pid=row["pid"],
        version=row["version"],
        queues=_strings(row["queues"]),
        slots=row["concurrency"],
        heartbeat=Heartbeat(
            running=row["running"],
            loop_lag_ms=row.get("loopLagMs", 0),
            job_ids=_strings(row.get("jobIds", ())),
        ),
        started_at=row["startedAt"],
        heard_at=row["heardAt"],
    )


def _literals(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: {"$literal": value} for name, value in fields.items()}
