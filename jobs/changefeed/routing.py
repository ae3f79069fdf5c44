"""Completes changes that lack their route, or the state of their job."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changes import ChangeType, DocumentChange, MatchState, Route, WatchedCollection
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.decoding import DecodedBatch, decode_batch, read_routes

DocumentKey: TypeAlias = tuple[WatchedCollection, str]


class _Known(NamedTuple):
    """What is known of a document, up to one change."""

    route: Route | None
    match_state: MatchState | None
    is_deleted: bool = False
    """Whether its deletion was published."""


NOTHING: Final = _Known(None, None)


async def decode_and_resolve(mongo: Mongo, ring: Ring, batch: StreamBatch) -> DecodedBatch:
    """Decode a batch, and complete its changes."""
    decoded = decode_batch(batch.events)
    return replace(decoded, changes=await resolve_routing(mongo, ring, decoded.changes))


async def resolve_routing(
    mongo: Mongo, ring: Ring, changes: Sequence[DocumentChange]
) -> Sequence[DocumentChange]:
    """Fill in missing routes and states: from the ring, otherwise by one find per collection.

    The change of a document that no longer exists stays without a route, and matches no filter.
    """
    if all(change.route for change in changes):
        return changes
    known: dict[DocumentKey, _Known] = {}
    unknown: defaultdict[WatchedCollection, set[str]] = defaultdict(set)
    for change in changes:
        key = _key_of(change)
        so_far = known.get(key) or _known_from(ring.newest_of(*key), change)
        known[key] = so_far._replace(route=change.route or so_far.route)
        if known[key].route is None and change.type is not ChangeType.DELETED:
            unknown[change.collection].add(change.document_id)
    for collection, ids in unknown.items():
        found = await read_routes(mongo, collection, ids, changes[-1].position)
        for document_id, (route, match_state) in found.items():
            known[collection, document_id] = _Known(route, match_state)
    return [_completed(change, known) for change in changes]


def _key_of(change: DocumentChange) -> DocumentKey:
    return change.collection, change.document_id


def _known_from(newest: DocumentChange | None, change: DocumentChange) -> _Known:
    if newest is None:
        return NOTHING
    was_deleted = newest.type is ChangeType.DELETED and newest.position < change.position
    return _Known(newest.route, newest.state_after, is_deleted=was_deleted)


def _completed(change: DocumentChange, known: dict[DocumentKey, _Known]) -> DocumentChange:
    """Add what a change lacks, unless it is a deletion that a tombstone announced before."""
    key = _key_of(change)
    so_far = known[key]
    is_deletion = change.type is ChangeType.DELETED
    if change.route is None and not (is_deletion and so_far.is_deleted):
        change = change._replace(route=so_far.route, match_state=so_far.match_state)
    known[key] = _Known(
        change.route or so_far.route, change.state_after, so_far.is_deleted or is_deletion
    )
    return change
