"""Resolves the missing routes and job states of changes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from ostinato.jobs.changefeed.ring import Ring
from ostinato.jobs.changes import (
    DocumentChange,
    JobLabels,
    MatchState,
    Route,
    WatchedCollection,
    WriteType,
)
from ostinato.jobs.mongo.change_stream import StreamBatch
from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.decoding import DecodedBatch, decode_batch, read_routes

DocumentKey: TypeAlias = tuple[WatchedCollection, str]


class _DocumentInfo(NamedTuple):
    """The route, state and labels of a document, as of one change."""

    route: Route | None
    match_state: MatchState | None
    labels: JobLabels | None = None
    is_deleted: bool = False
    """Whether a deletion of the document was published."""


NO_INFO: Final = _DocumentInfo(None, None)


async def decode_and_resolve(mongo: Mongo, ring: Ring, batch: StreamBatch) -> DecodedBatch:
    """Decode a batch, and resolve the routes of its changes."""
    decoded = decode_batch(batch.events)
    return replace(decoded, changes=await resolve_routing(mongo, ring, decoded.changes))


async def resolve_routing(
    mongo: Mongo, ring: Ring, changes: Sequence[DocumentChange]
) -> Sequence[DocumentChange]:
    """Fill in missing routes and states from the ring, otherwise with one query per collection.

    Changes of documents that no longer exist have no route, and match no filter.
    """
    if all(change.route for change in changes):
        return changes
    infos: dict[DocumentKey, _DocumentInfo] = {}
    missing_ids: defaultdict[WatchedCollection, set[str]] = defaultdict(set)
    for change in changes:
        key = _key_of(change)
        info = infos.get(key) or _info_from(ring.newest_of(*key), change)
        infos[key] = info._replace(route=change.route or info.route)
        if infos[key].route is None and change.type is not WriteType.DELETED:
            missing_ids[change.collection].add(change.document_id)
    for collection, ids in missing_ids.items():
        found = await read_routes(mongo, collection, ids, changes[-1].position)
        for document_id, read in found.items():
            infos[collection, document_id] = _DocumentInfo(*read)
    return [_resolve(change, infos) for change in changes]


def _key_of(change: DocumentChange) -> DocumentKey:
    return change.collection, change.document_id


def _info_from(newest: DocumentChange | None, change: DocumentChange) -> _DocumentInfo:
    if newest is None:
        return NO_INFO
    was_deleted = newest.type is WriteType.DELETED and newest.position < change.position
    labels = newest.job_labels
    return _DocumentInfo(newest.route, newest.state_after, labels, is_deleted=was_deleted)


def _resolve(change: DocumentChange, infos: dict[DocumentKey, _DocumentInfo]) -> DocumentChange:
    """Fill in the route and state of a change, except for a deletion already published."""
    key = _key_of(change)
    info = infos[key]
    is_deletion = change.type is WriteType.DELETED
    if change.route is None and not (is_deletion and info.is_deleted):
        change = change._replace(route=info.route, match_state=info.match_state, labels=info.labels)
    infos[key] = _DocumentInfo(
        change.route or info.route,
        change.state_after,
        change.job_labels or info.labels,
        info.is_deleted or is_deletion,
    )
    return change
