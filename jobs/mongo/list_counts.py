"""Counts the documents of a list, up to a limit of documents and of time."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from pymongo.errors import ExecutionTimeout

from ostinato.jobs.mongo.client import Collection, Mongo
from ostinato.jobs.mongo.page_queries import Query
from ostinato.jobs.paging import ListCount
from ostinato.jobs.read_budget import ReadBudget

MAX_COUNT: Final = 10_000  # about 10 ms, if an index contains all fields of the filter
COUNT_MS: Final = 1_000  # without such an index, the documents are read


def list_counter(
    collection: Collection, query: Query, turn: tuple[Mongo, ReadBudget] | None = None
) -> Callable[[], Awaitable[ListCount]]:
    """Return a function that counts the documents of a list, in its user's turn if one is given."""

    async def count() -> ListCount:
        if turn is None:
            return await _count(collection, query)
        mongo, budget = turn
        async with budget.lock, mongo.large_reads.turn(budget.user):
            return await _count(collection, query)

    return count


async def _count(collection: Collection, query: Query) -> ListCount:
    pipeline: list[dict[str, Any]] = [
        {"$match": query},
        {"$limit": MAX_COUNT + 1},
        {"$count": "n"},
    ]
    try:
        found = await collection.aggregate(pipeline, maxTimeMS=COUNT_MS).to_list(None)
    except ExecutionTimeout:
        return ListCount(count=0, is_exact=False)
    number = found[0]["n"] if found else 0
    return ListCount(count=min(number, MAX_COUNT), is_exact=number <= MAX_COUNT)
