"""Completes changes that do not say whom they belong to, nor where their job stands."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from ostinato.jobs.changes import Change, ChangeType, Route, Standing, WatchedCollection
from ostinato.jobs.hub.ring import Ring
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.decoding import DecodedBatch, decode_batch, read_routes

Key: TypeAlias = tuple[WatchedCollection, str]


class Known(NamedTuple):
    """What is known of a document, up to one change."""

    route: Route | None
    standing: Standing | None
    is_gone: bool = False
    """Whether its deletion was told."""


NOTHING = Known(None, None)


async def decoded_with_routes(mongo: Mongo, ring: Ring, batch: StreamBatch) -> DecodedBatch:
    """Decode a batch, and complete its changes."""
    decoded = decode_batch(batch.events)
    return replace(decoded, changes=await with_routes(mongo, ring, decoded.changes))


async def with_routes(mongo: Mongo, ring: Ring, changes: Sequence[Change]) -> Sequence[Change]:
    """Fill in missing routes, and where jobs stand: from the ring, else by one find per collection.

    A document that is gone by now keeps no route, and nobody hears of that change.
    """
    if all(change.route for change in changes):
        return changes
    known: dict[Key, Known] = {}
    unknown: defaultdict[WatchedCollection, set[str]] = defaultdict(set)
    for change in changes:
        key = _key_of(change)
        so_far = known.get(key) or _known_from(ring.newest_of(*key), change)
        known[key] = so_far._replace(route=change.route or so_far.route)
        if known[key].route is None and change.type is not ChangeType.DELETED:
            unknown[change.collection].add(change.document_id)
    for collection, ids in unknown.items():
        found = await read_routes(mongo, collection, ids, changes[-1].position)
        for document_id, (route, standing) in found.items():
            known[collection, document_id] = Known(route, standing)
    return [_completed(change, known) for change in changes]


def _key_of(change: Change) -> Key:
    return change.collection, change.document_id


def _known_from(newest: Change | None, change: Change) -> Known:
    if newest is None:
        return NOTHING
    was_deleted = newest.type is ChangeType.DELETED and newest.position < change.position
    return Known(newest.route, newest.after, is_gone=was_deleted)


def _completed(change: Change, known: dict[Key, Known]) -> Change:
    """Give a change what it lacks; the deletion of what has said farewell is told already."""
    key = _key_of(change)
    so_far = known[key]
    is_deleted = change.type is ChangeType.DELETED
    if change.route is None and not (is_deleted and so_far.is_gone):
        change = change._replace(route=so_far.route, standing=so_far.standing)
    known[key] = Known(change.route or so_far.route, change.after, so_far.is_gone or is_deleted)
    return change
