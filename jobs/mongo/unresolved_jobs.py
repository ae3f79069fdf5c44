"""Jobs that were scheduled by name, in a process that does not know their function.

Until a worker resolves the function, they wait in a lane of their own and have no retry policy.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from ostinato.jobs.lanes import UNRESOLVED, Lane
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.collections import JOBS
from ostinato.jobs.mongo.due_jobs import PENDING
from ostinato.jobs.mongo.job_documents import retry_document
from ostinato.jobs.registry import Function


class UnresolvedJobs:
    """The unresolved jobs of a chunk; another worker may resolve the same ones at any time."""

    def __init__(self, mongo: Mongo) -> None:
        self._jobs = mongo[JOBS]

    async def resolve(
        self, ids: Sequence[str], function_named: Callable[[str], Function | None]
    ) -> frozenset[str]:
        """Add the retry policies of their functions to jobs, and move them to the final lanes.

        Returns the ids of jobs that were moved to the lane of a limit, which must be dispatched
        from there. Jobs of unknown functions stay unchanged: they fail when they start.
        """
        found = self._jobs.find({**PENDING, "_id": {"$in": list(ids)}}, ["functionName", "lane"])
        groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for row in await found.to_list(None):
            if type(row.get("functionName")) is str:  # another program's may not be hashable
                groups[row["functionName"], row["lane"]].append(row["_id"])
        limited: set[str] = set()
        for (name, lane), members in groups.items():
            function = function_named(name)
            if function is not None and await self._move(members, lane, function):
                limited.update(members)
        return frozenset(limited)

    async def _move(self, ids: Sequence[str], lane: str, function: Function) -> bool:
        """Move jobs out of an unresolved lane; return whether the new one has a limit."""
        old = Lane.parse(lane)
        if old is None or old.function != UNRESOLVED:
            return False
        new = function.lane(old.queue, old.priority)
        resolved = {
            "lane": str(new),
            "maxAttempts": function.retry.max_attempts,
            "retry": retry_document(function.retry),
        }
        await self._jobs.update_many(
            {**PENDING, "_id": {"$in": list(ids)}, "lane": lane},
            {"$set": resolved, "$inc": {"version": 1}},
        )
        return new.function is not None
