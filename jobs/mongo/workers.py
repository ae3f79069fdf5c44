"""Heartbeats and leadership: liveness by the server's real clock, never the movable one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ostinato.jobs.errors import Malformed
from ostinato.jobs.fleet import Load, Worker
from ostinato.jobs.malformed import read_as, report
from ostinato.jobs.mongo.client import Document, Mongo
from ostinato.jobs.mongo.collections import JOBS, LEADERS, WORKERS
from ostinato.jobs.mongo.indexes import with_index
from ostinato.jobs.records import JobState

MOST_SLOTS: Final = 10_000  # what the setting allows: more was not written by a worker
LONGEST_LEASE_MS: Final = 3_600_000  # far longer than any; also after the server's clock has jumped

W = TypeVar("W", "FleetWorker", Worker)


@dataclass(frozen=True, slots=True)
class FleetWorker:
    slots: int
    queues: frozenset[str]
    unwritable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all workers have together."""

    workers: tuple["FleetWorker", ...]

    def queues(self) -> set[str]:
        return {queue for worker in self.workers for queue in worker.queues}

    def unwritable(self) -> frozenset[str]:
        """Return the jobs that are not worth dispatching for now."""
        return frozenset().union(*(worker.unwritable for worker in self.workers))

    def size(self, queue: str) -> int:
        """Count the workers that serve a queue."""
        return sum(1 for worker in self.workers if queue in worker.queues)

    def slots(self, queue: str | None = None) -> int:
        """Count the slots of the workers that serve a queue, or of all."""
        serving = (one for one in self.workers if queue is None or queue in one.queues)
        return sum(worker.slots for worker in serving)


class WorkerStore:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._workers = mongo[WORKERS]

    async def register(self, worker_id: str, about: dict[str, Any]) -> None:
        await self._workers.update_one(
            {"_id": worker_id},
            [{"$set": {**_literals(about), "startedAt": "$$NOW", "heardAt": "$$NOW"}}],
            upsert=True,
        )

    async def beat(self, worker_id: str, load: Load) -> datetime | None:
        """Say that a worker lives and what it does; returns the server's time, or None if the
        worker has been declared lost."""
        said = {
            "running": load.running,
            "loopLagMs": load.loop_lag_ms,
            "jobIds": list(load.job_ids),
            "unwritable": list(load.unwritable),
        }
        heard: Document | None = await self._workers.find_one_and_update(
            {"_id": worker_id},
            [{"$set": {**_literals(said), "heardAt": "$$NOW"}}],
            {"heardAt": 1},
            return_document=ReturnDocument.AFTER,
        )
        return heard["heardAt"] if heard else None

    async def all(self) -> list[Worker]:
        """Give the workers that have registered, oldest first."""
        rows = await self._workers.find({}, sort=[("_id", 1)]).to_list(None)
        return _sound(rows, _worker_from)

    async def remove(self, worker_id: str) -> None:
        await self._workers.delete_one({"_id": worker_id})

    async def fleet(self) -> Fleet:
        """Give the workers that have registered."""
        rows = await self._workers.find(
            {}, {"concurrency": 1, "queues": 1, "unwritable": 1}
        ).to_list(None)
        return Fleet(tuple(_sound(rows, _fleet_worker_from)))

    async def served(self, within_ms: int) -> frozenset[str]:
        """Return the queues of the workers that were heard of within so many milliseconds."""
        alive = {"$expr": {"$gte": ["$heardAt", {"$subtract": ["$$NOW", within_ms]}]}}
        listed = {**alive, "queues": {"$type": "array"}}  # whoever else writes here may err
        rows = await self._workers.find(listed, {"queues": 1}).to_list(None)
        queues = (queue for row in rows for queue in row["queues"])
        return frozenset(queue for queue in queues if type(queue) is str)

    async def silent(self, for_ms: int) -> list[str]:
        """Find workers that have not been heard of for so long."""
        over = {"$lt": ["$heardAt", {"$subtract": ["$$NOW", for_ms]}]}
        return [row["_id"] async for row in self._workers.find({"$expr": over}, {"_id": 1})]

    async def gone(self) -> list[Any]:
        """Find holders of jobs that are not registered: they were deposed, or have left, and
        cannot come back."""
        holders = await self._holders()  # first: a worker registers before it holds anything
        registered = {"_id": {"$type": "string"}}
        known = {row["_id"] async for row in self._workers.find(registered, {"_id": 1})}
        return [one for one in holders if type(one) is not str or one not in known]

    async def _holders(self) -> list[Any]:
        running = {"$match": {"state": JobState.IN_PROGRESS.value}}
        pipeline = [running, {"$group": {"_id": "$lease.worker"}}]
        jobs = self._mongo[JOBS]
        found = await with_index(
            "running", lambda **hint: jobs.aggregate(pipeline, **hint).to_list(None)
        )
        return [row["_id"] for row in found]

    async def lead(self, role: str, worker_id: str, lease_ms: int) -> bool:
        """Take or renew the lead of `role`; False if another worker has it."""
        mine = {"$eq": ["$worker", {"$literal": worker_id}]}
        # What no leader has written would keep everybody from leading for ever.
        longest = {"$add": ["$$NOW", max(LONGEST_LEASE_MS, lease_ms)]}
        is_led = {
            "$and": [
                {"$eq": [{"$type": "$worker"}, "string"]},
                {"$eq": [{"$type": "$until"}, "date"]},
                {"$gte": ["$until", "$$NOW"]},
                {"$lte": ["$until", longest]},
            ]
        }
        mine_now = {"$or": [mine, {"$not": [is_led]}]}
        until = {"$add": ["$$NOW", lease_ms]}
        try:
            leader = await self._mongo[LEADERS].find_one_and_update(
                {"_id": role},
                [
                    {
                        "$set": {
                            "worker": {"$cond": [mine_now, {"$literal": worker_id}, "$worker"]},
                            "until": {"$cond": [mine_now, until, "$until"]},
                        }
                    }
                ],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # two stood for election at once, and the other was first
            return False
        return bool(leader["worker"] == worker_id)

    async def resign(self, role: str, worker_id: str) -> None:
        await self._mongo[LEADERS].delete_one({"_id": role, "worker": worker_id})


def _sound(rows: Iterable[Document], decode: Callable[[Mapping[str, Any]], W]) -> list[W]:
    """Read heartbeats; what no worker has written is logged and left out."""
    found: list[W] = []
    for row in rows:
        try:
            found.append(read_as(decode, row))
        except Malformed as error:
            report(WORKERS, row["_id"], error)
    return found


def _fleet_worker_from(row: Mapping[str, Any]) -> FleetWorker:
    slots, unwritable = row["concurrency"], row.get("unwritable", ())
    if not 1 <= slots <= MOST_SLOTS:
        raise ValueError(f"concurrency is {slots}")
    return FleetWorker(int(slots), frozenset(_texts(row["queues"])), frozenset(_texts(unwritable)))


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(type(each) is str for each in values):
        raise TypeError("not a list of texts")
    return tuple(values)  # type: ignore[arg-type]


def _worker_from(row: Mapping[str, Any]) -> Worker:
    return Worker(
        id=row["_id"],
        host=row["host"],
        pid=row["pid"],
        version=row["version"],
        queues=_texts(row["queues"]),
        slots=row["concurrency"],
        load=Load(
            running=row["running"],
            loop_lag_ms=row.get("loopLagMs", 0),
            job_ids=_texts(row.get("jobIds", ())),
        ),
        started_at=row["startedAt"],
        heard_at=row["heardAt"],
    )


def _literals(about: dict[str, Any]) -> dict[str, Any]:
    return {name: {"$literal": value} for name, value in about.items()}
