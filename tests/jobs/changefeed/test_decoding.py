"""Decoding of change stream events into changes, for every form of update."""

from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.changefeed.matching import ChangeFilter, index_keys_of, match
from ostinato.jobs.changes import (
    DocumentChange,
    JobLabels,
    Position,
    WatchedCollection,
    WriteType,
)
from ostinato.jobs.filters import JobFilter
from ostinato.jobs.mongo.decoding import decode_batch
from tests.live.writing import DUE

EVENT = {"_id": {"_data": "82AA"}, "ns": {"coll": "jobs"}, "documentKey": {"_id": "j1"}}


def entry(seq: int, **fields: Any) -> dict[str, Any]:
    return {
        "seq": seq,
        "at": DUE,
        "from": "pending",
        "state": "inProgress",
        "attempt": 1,
        "owner": "ann",
        "functionName": "a.b",
        "createdAt": DUE,
        **fields,
    }


def decoded(**event: Any) -> DocumentChange:
    (change,) = decode_batch([RawBSONDocument(bson.encode(EVENT | event))]).changes
    return change


def updated(**fields: Any) -> DocumentChange:
    return decoded(operationType="update", updateDescription={"updatedFields": fields})


def replaced(*timeline: dict[str, Any]) -> DocumentChange:
    full = {"owner": "ann", "version": 5, "timeline": timeline}
    return decoded(operationType="replace", fullDocument=full)


def seq(change: DocumentChange) -> int | None:
    return change.event.seq if change.event else None


def test_an_update_has_the_event_that_it_appended() -> None:
    change = updated(version=3, **{"timeline.1": entry(2)})
    assert (seq(change), change.version, change.type) == (2, 3, WriteType.CHANGED)
    assert change.route is not None
    assert change.route.owner == "ann"


def test_an_update_has_the_labels_of_its_event() -> None:
    labels = updated(**{"timeline.1": entry(2, key="k", tags=["a", "b"])}).job_labels
    assert labels == JobLabels(created_at=DUE, key="k", tags=["a", "b"])


def test_an_event_of_an_older_version_has_no_route_so_that_its_labels_are_read() -> None:
    old = entry(2)
    del old["createdAt"]
    assert updated(**{"timeline.1": old}).route is None
    whole = decoded(
        operationType="replace",
        fullDocument={"owner": "ann", "version": 5, "timeline": [old], "key": "k"},
    )
    assert whole.route is not None
    assert whole.job_labels == JobLabels(created_at=None, key="k", tags=())


def test_malformed_labels_match_no_filter() -> None:
    tags = [bson.Code("a"), 7, None]
    change = updated(**{"timeline.1": entry(2, key=7, tags=tags)})
    assert list(index_keys_of(change))
    for wanted in (JobFilter(key="7"), JobFilter(tags=("b",))):
        watch = ChangeFilter(collection=WatchedCollection.JOBS, job_filter=wanted)
        assert match(watch, change) is None


def test_times_of_an_event_are_in_utc() -> None:
    change = updated(version=3, **{"timeline.1": entry(2, nextRunAt=DUE)})
    assert change.event is not None
    assert (change.event.at, change.event.next_run_at) == (DUE, DUE)


def test_update_of_an_old_event_has_no_event() -> None:
    assert seq(updated(version=3, **{"timeline.0.error": {"name": "E"}})) is None


def test_progress_has_no_event_and_no_route() -> None:
    change = updated(version=3, progress={"done": 1})
    assert (change.event, change.route) == (None, None)


def test_a_replacement_has_the_last_event_of_its_timeline() -> None:
    assert seq(replaced(entry(1), entry(2))) == 2


def test_an_insert_has_its_event_and_no_previous_state() -> None:
    full = {"owner": "ann", "version": 1, "timeline": [entry(1)], "scheduledTime": DUE}
    change = decoded(operationType="insert", fullDocument=full)
    assert (seq(change), change.scheduled_time, change.state_before) == (1, DUE, None)


def test_a_tombstone_is_decoded_as_a_deletion_with_owner() -> None:
    change = updated(deleted={"owner": "ann"})
    assert change.type is WriteType.DELETED
    assert change.route is not None
    assert change.route.owner == "ann"


def test_a_delete_event_has_no_owner() -> None:
    change = decoded(operationType="delete")
    assert (change.type, change.route) == (WriteType.DELETED, None)


def test_changes_before_a_dropped_collection_are_discarded() -> None:
    insert = EVENT | {"operationType": "insert", "fullDocument": {"owner": "ann"}}
    drop = {"_id": {"_data": "82AB"}, "operationType": "drop", "ns": {"coll": "jobs"}}
    batch = decode_batch([RawBSONDocument(bson.encode(event)) for event in (insert, drop, insert)])
    assert batch.invalidated_at == Position("82AB")
    assert len(batch.changes) == 1
