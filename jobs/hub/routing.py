"""Completes changes that do not say whom they belong to."""

from collections import defaultdict
from collections.abc import Sequence

from jobs.changes import Change, Route, Watched
from jobs.hub.ring import Ring
from jobs.mongo.client import Mongo
from jobs.mongo.decoding import read_routes


async def with_routes(mongo: Mongo, ring: Ring, changes: Sequence[Change]) -> Sequence[Change]:
    """Fill in missing routes: from the ring, else by one find per collection.

    A document that is gone by now keeps no route, and nobody hears of that change.
    """
    if all(change.route for change in changes):
        return changes
    known: dict[tuple[Watched, str], Route] = {}
    unknown: defaultdict[Watched, set[str]] = defaultdict(set)
    for change in changes:
        key = (change.collection, change.document_id)
        route = change.route or known.get(key) or ring.route_of(*key)
        if route:
            known[key] = route
        else:
            unknown[change.collection].add(change.document_id)
    for collection, ids in unknown.items():
        for document_id, route in (await read_routes(mongo, collection, ids)).items():
            known[collection, document_id] = route
    return [
        change
        if change.route
        else change._replace(route=known.get((change.collection, change.document_id)))
        for change in changes
    ]
