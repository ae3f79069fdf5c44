"""Documents of the jobs of a shop, with the timelines that workers would have written."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic_core import to_json

from ostinato.jobs.documents import NewFailure
from ostinato.jobs.job_logs import LINE_BYTES
from ostinato.jobs.mongo.transitions import event_fields
from tests.malformed import valid_document

OWNER: Final = "shop"
WORKERS: Final = ("worker-1", "worker-2", "worker-3")
QUEUES: Final = {"emails": "mail", "reports": "reports"}
"""By the first part of the function's name; all others are in the queue `default`."""
RETENTION: Final = timedelta(days=7)
HISTORY: Final = 1_200
"""The number of finished jobs of the last day."""

Document = dict[str, Any]


@dataclass(slots=True)
class Ids:
    """Ids that sort by the time of creation, the same in each run but for the time."""

    count: int = 0

    def at(self, instant: datetime) -> str:
        self.count += 1
        return f"{int(instant.timestamp() * 1_000):012x}{self.count:012x}"


@dataclass(slots=True)
class ShopJobs:
    """Jobs, their logs and their failures, relative to one instant."""

    now: datetime
    ids: Ids = field(default_factory=Ids)
    jobs: list[Document] = field(default_factory=list)
    logs: list[Document] = field(default_factory=list)
    failures: list[Document] = field(default_factory=list)

    def add(
        self,
        age_s: float,
        function: str,
        args: Document,
        *steps: tuple[float, Document],
        **fields: Any,
    ) -> str:
        """Add a job that was created `age_s` ago, and return its id.

        Each step is the number of seconds after the step before, and what its event contains.
        """
        at = self.now - timedelta(seconds=age_s)
        job_id = self.ids.at(at)
        queue = QUEUES.get(function.partition(".")[0], "default")
        base = {"rootId": job_id, "createdAt": at, "scheduledTime": at, "queue": queue}
        job = valid_document("jobs", OWNER, functionName=function, args=args)
        job |= base | {"_id": job_id, "lane": f"{queue}/"} | fields
        job["timeline"] = []
        self._record(job, at, {"state": job["state"], "nextRunAt": job["scheduledTime"]})
        for after_s, event in steps:
            at += timedelta(seconds=after_s)
            self._apply(job, at, event)
        self.jobs.append(job)
        return job_id

    def running_on(self, worker: str) -> list[str]:
        """Return the ids of the running jobs of a worker."""
        held = [job for job in self.jobs if job["state"] == "inProgress"]
        return [job["_id"] for job in held if job["lease"]["worker"] == worker]

    def log(self, job_id: str, age_s: float, *lines: tuple[str, str, Document]) -> None:
        """Add lines of the first attempt of a job: the level, the message and the fields."""
        start = self.now - timedelta(seconds=age_s)
        stored = [
            {"seq": seq, "at": start + timedelta(seconds=2 * seq), "level": level}
            | {"message": message, "fields": to_json(fields).decode()}
            for seq, (level, message, fields) in enumerate(lines, start=1)
        ]
        key, last = f"0001{1:06x}", f"0001{len(lines):06x}"
        sizes = {"count": len(lines), "bytes": LINE_BYTES * len(lines)}
        batch = {"_id": job_id + key, "jobId": job_id, "owner": OWNER, "attempt": 1, "last": last}
        self.logs.append(batch | sizes | {"lines": stored})

    def _apply(self, job: Document, at: datetime, event: Document) -> None:
        state = event["state"]
        if state == "inProgress":
            worker = WORKERS[len(self.jobs) % len(WORKERS)]
            job["lease"] = {"worker": worker, "token": "0" * 24}
            job |= {"attempt": job["attempt"] + 1, "startedAt": at}
        elif state == "pending":
            job["scheduledTime"] = event["nextRunAt"]
        else:
            job |= {"completedAt": at, "purgeAt": at + RETENTION}
        self._record(job, at, event)
        job |= {"state": state, "version": job["version"] + 1}
        job |= {"error": event["error"]} if "error" in event else {}
        if state != "inProgress":
            job.pop("lease", None)
        if state == "failed":
            self._fail(job, at)

    def _record(self, job: Document, at: datetime, event: Mapping[str, Any]) -> None:
        timeline = job["timeline"]
        source = timeline[-1]["state"] if timeline else None
        place = {"seq": len(timeline) + 1, "at": at, "from": source, "attempt": job["attempt"]}
        worker = {"worker": job["lease"]["worker"]} if "lease" in job else {}
        timeline.append(place | worker | event_fields(job) | dict(event))

    def _fail(self, job: Document, at: datetime) -> None:
        new = NewFailure(
            id=self.ids.at(at),
            owner=OWNER,
            function_name=job["functionName"],
            error=job["error"],
            data=job["args"],
            attempts=job["attempt"],
            at=at,
            job_id=job["_id"],
        )
        self.failures.append(new.document())


def started(after_s: float = 0.2) -> tuple[float, Document]:
    return after_s, {"state": "inProgress"}


def ended(after_s: float, state: str = "success") -> tuple[float, Document]:
    return after_s, {"state": state}


def failed(after_s: float, name: str, message: str, traceback: str = "") -> tuple[float, Document]:
    error = {"name": name, "message": message, "traceback": traceback}
    return after_s, {"state": "failed", "error": error}


def retried(
    after_s: float, next_run_at: datetime, name: str, message: str
) -> tuple[float, Document]:
    error = {"name": name, "message": message, "traceback": ""}
    return after_s, {"state": "pending", "error": error, "nextRunAt": next_run_at}


def calls(numbers: random.Random) -> Iterator[tuple[str, Document, Any, float]]:
    """Yield functions with their arguments, results and mean durations in seconds, without end."""
    customers = ("mia", "noah", "lena", "omar", "sofia", "yuki", "liam", "zoe")
    while True:
        order, customer = f"A-{numbers.randint(9_100, 10_460)}", numbers.choice(customers)
        yield numbers.choice(
            (
                (
                    "orders.charge",
                    {"order": order, "amountCents": numbers.randrange(990, 24_990, 500)},
                    {"chargeId": f"ch_{numbers.randrange(16**6):06x}"},
                    0.4,
                ),
                ("invoices.create", {"order": order}, {"invoice": f"2026-{order[2:]}"}, 0.1),
                (
                    "emails.sendConfirmation",
                    {"order": order, "to": f"{customer}@example.com"},
                    None,
                    0.8,
                ),
                ("emails.sendReminder", {"customer": customer, "days": 14}, None, 0.7),
                ("orders.syncStock", {"warehouse": "Leipzig"}, {"changed": 7}, 3.0),
            )
        )
