"""Completes changes that do not say whom they belong to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from jobs.changes import Change, ChangeType, Route, Watched
from jobs.hub.ring import Ring
from jobs.mongo.client import Mongo
from jobs.mongo.decoding import read_routes

Key: TypeAlias = tuple[Watched, str]


async def with_routes(mongo: Mongo, ring: Ring, changes: Sequence[Change]) -> Sequence[Change]:
    """Fill in missing routes: from the ring, else by one find per collection.

    A document that is gone by now keeps no route, and nobody hears of that change.
    """
    if all(change.route for change in changes):
        return changes
    known: dict[Key, Route] = {}
    unknown: defaultdict[Watched, set[str]] = defaultdict(set)
    told_gone: set[Key] = set()
    for change in changes:
        key = (change.collection, change.document_id)
        newest = ring.newest_of(*key)
        if newest and newest.type is ChangeType.DELETED and newest.position < change.position:
            told_gone.add(key)
        route = change.route or known.get(key) or (newest.route if newest else None)
        if route:
            known[key] = route
        elif change.type is not ChangeType.DELETED:
            unknown[change.collection].add(change.document_id)
    for collection, ids in unknown.items():
        for document_id, route in (await read_routes(mongo, collection, ids)).items():
            known[collection, document_id] = route
    return [_routed(change, known, told_gone) for change in changes]


def _routed(change: Change, known: Mapping[Key, Route], told_gone: set[Key]) -> Change:
    """Give a change its route; the deletion of what has said farewell is told already."""
    key = (change.collection, change.document_id)
    is_told = change.route is not None or key in told_gone
    if change.type is ChangeType.DELETED:
        told_gone.add(key)
    elif change.route is None:
        is_told = False
    return change if is_told else change._replace(route=known.get(key))
