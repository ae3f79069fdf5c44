"""Many jobs in MongoDB, written directly, and changes to them."""

from dataclasses import dataclass, field
from typing import Any, Final

from ostinato.jobs.ids import created_at
from ostinato.jobs.mongo.client import Mongo
from tests.malformed import valid_document

STATES: Final = ("success", "success", "pending", "failed", "canceled")
ERROR: Final = {"name": "ValueError", "message": "no luck", "traceback": ""}
BATCH: Final = 5_000
CHANGES: Final = 20
"""Of each kind at once: new jobs, and changed ones."""


@dataclass(slots=True)
class ManyJobs:
    """Jobs of one owner, in all states."""

    mongo: Mongo
    owner: str
    _ids: list[str] = field(default_factory=list)
    _changed: int = 0  # how many of `_ids`, the oldest ones

    async def fill(self, count: int) -> None:
        """Insert jobs in all states."""
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            jobs = [self._job(number, STATES[number % len(STATES)]) for number in numbers]
            await self.mongo["jobs"].insert_many(jobs, ordered=False)

    async def change(self) -> int:
        """Insert jobs, and report the progress of others; return the number of changes."""
        ids = self._ids[self._changed : self._changed + CHANGES]
        new = [self._job(self._changed, "pending") for _ in range(CHANGES)]
        await self.mongo["jobs"].insert_many(new, ordered=False)
        progress = {"progress": {"done": self._changed}}
        update = {"$set": progress, "$inc": {"version": 1}}
        await self.mongo["jobs"].update_many({"_id": {"$in": ids}}, update)
        self._changed += CHANGES
        return 2 * CHANGES

    def _job(self, number: int, state: str) -> dict[str, Any]:
        job = valid_document("jobs", self.owner, state=state)
        self._ids.append(job["_id"])
        error = {"error": ERROR} if state == "failed" else {}
        fields = {"args": {"name": f"invoice {number}"}, "createdAt": created_at(job["_id"])}
        return job | error | fields
