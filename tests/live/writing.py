"""Writes of jobs and other documents for tests of live queries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ostinato.jobs.ids import new_id
from ostinato.jobs.job_logs import build_line
from ostinato.jobs.lifecycle import TransitionName
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.job_logs import batch_document
from ostinato.jobs.mongo.transitions import first_event, now, pipeline
from ostinato.jobs.records import Cause, CauseKind, JobInfo

KEEP_MS: Final = 604_800_000  # the TTL monitor runs every 60 s
DUE: Final = datetime(2030, 1, 1, tzinfo=UTC)
CLAIMED: Final = {
    "attempt": {"$add": ["$attempt", 1]},
    "lease": {"worker": "w1", "token": "t1"},
}


def job_info(job_id: str, attempt: int, owner: str | None = "ann") -> JobInfo:
    """Return an attempt of a job."""
    return JobInfo(
        id=job_id,
        function_name="tasks.runTask",
        attempt=attempt,
        max_attempts=9,
        owner=owner,
        cause=Cause(kind=CauseKind.API),
        root_id=job_id,
        scheduled_time=DUE,
    )


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes documents like the engine and functions do."""

    mongo: Mongo

    async def job(self, owner: str | None = "ann", **fields: Any) -> str:
        """Insert a pending job."""
        document = _job(owner, fields)
        await self.mongo["jobs"].insert_one(document)
        return str(document["_id"])

    async def jobs(self, count: int) -> None:
        """Insert pending jobs."""
        await self.mongo["jobs"].insert_many([_job("ann", {}) for _ in range(count)])

    async def make_transition(
        self, name: TransitionName, *ids: str, fields: Any = None, event: Any = None
    ) -> None:
        """Make a transition without checking the state."""
        update = pipeline(name, now(KEEP_MS), fields, event)
        await self.mongo["jobs"].update_many({"_id": {"$in": list(ids)}}, update)

    async def claim(self, *ids: str) -> None:
        await self.make_transition(TransitionName.CLAIM, *ids, fields=CLAIMED)

    async def succeed(self, *ids: str, result: object = None) -> None:
        await self.make_transition(
            TransitionName.SUCCEED, *ids, fields={"result": {"$literal": result}}
        )

    async def retry(self, *ids: str, due: datetime = DUE + timedelta(hours=1)) -> None:
        await self.make_transition(
            TransitionName.RETRY, *ids, fields={"scheduledTime": due}, event={"nextRunAt": due}
        )

    async def progress(self, job_id: str, done: int) -> None:
        update = {"$set": {"progress": {"done": done}}, "$inc": {"version": 1}}
        await self.mongo["jobs"].update_one({"_id": job_id}, update)

    async def run(self, owner: str | None = "ann", **fields: Any) -> str:
        """Insert, claim and complete a job: three events."""
        job_id = await self.job(owner, **fields)
        await self.claim(job_id)
        await self.succeed(job_id)
        return job_id

    async def lines(self, job_id: str, *seqs: int, attempt: int = 1, owner: str = "ann") -> None:
        """Insert consecutive lines of a job's log, in one batch."""
        lines = [build_line(seq, "info", f"line {seq}", {"number": seq}) for seq in seqs]
        await self.mongo["jobLogs"].insert_one(
            batch_document(job_info(job_id, attempt, owner), lines)
        )

    async def cron(self, owner: str = "ann", name: str = "hourly") -> str:
        document = {
            "_id": new_id(),
            "name": name,
            "functionName": "tasks.runTask",
            "args": {},
            "schedule": {"kind": "interval", "ms": 3_600_000},
            "owner": owner,
            "enabled": True,
            "nextRunTime": DUE,
            "overlap": "skip",
            "catchUp": "latest",
            "version": 1,
        }
        await self.mongo["crons"].insert_one(document)
        return str(document["_id"])

    async def delete_cron(self, cron_id: str, owner: str = "ann") -> None:
        """Delete a cron like the engine does: first write a tombstone with its owner."""
        tombstone = {"$set": {"deleted": {"owner": owner}}}
        await self.mongo["crons"].update_one({"_id": cron_id}, tombstone)
        await self.mongo["crons"].delete_one({"_id": cron_id})

    async def task(self, owner: str = "ann", task_id: str = "poll") -> str:
        document = {
            "_id": new_id(),
            "taskId": task_id,
            "owner": owner,
            "functionName": "tasks.runTask",
            "args": {},
            "intervalMs": 1_000,
            "enabled": True,
            "generation": 1,
            "version": 1,
        }
        await self.mongo["taskConfigs"].insert_one(document)
        return str(document["_id"])

    async def request(self, owner: str = "ann") -> str:
        document = {
            "_id": new_id(),
            "owner": owner,
            "state": "pending",
            "data": {},
            "timeoutAt": DUE,
            "createdAt": DUE,
            "version": 1,
        }
        await self.mongo["requests"].insert_one(document)
        return str(document["_id"])

    async def batch(self, owner: str = "ann") -> str:
        document = {
            "_id": new_id(),
            "source": "items",
            "owner": owner,
            "state": "running",
            "batchSize": 100,
            "delayMs": 1_000,
            "processed": 0,
            "createdAt": DUE,
            "version": 1,
        }
        await self.mongo["batches"].insert_one(document)
        return str(document["_id"])

    async def touch(self, collection: str, document_id: str, **fields: Any) -> None:
        """Set fields of a document and raise its version."""
        update = {"$set": fields, "$inc": {"version": 1}}
        await self.mongo[collection].update_one({"_id": document_id}, update)


def _job(owner: str | None, fields: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "_id": new_id(),
        "functionName": "tasks.runTask",
        "args": {},
        "owner": owner,
        "internal": False,
        "state": "pending",
        "scheduledTime": DUE,
        "queue": "default",
        "priority": 0,
        "attempt": 0,
        "maxAttempts": 3,
        "cause": {"kind": "api"},
        "version": 1,
        "createdAt": datetime.now(UTC),
        **fields,
    }
    document["timeline"] = [first_event(document)]
    return document
