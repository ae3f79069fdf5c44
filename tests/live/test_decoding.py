"""What the change stream sends, as changes: the same events in every form an update may take."""

from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

from ostinato.jobs.changes import Change, ChangeType, Position
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
        **fields,
    }


def decoded(**event: Any) -> Change:
    (change,) = decode_batch([RawBSONDocument(bson.encode(EVENT | event))]).changes
    return change


def updated(**fields: Any) -> Change:
    return decoded(operationType="update", updateDescription={"updatedFields": fields})


def replaced(*timeline: dict[str, Any]) -> Change:
    full = {"owner": "ann", "version": 5, "timeline": timeline}
    return decoded(operationType="replace", fullDocument=full)


def seqs(change: Change) -> list[int]:
    return [event.seq for event in change.events]


def test_update_carries_the_entries_it_appended() -> None:
    change = updated(version=3, **{"timeline.1": entry(2), "timeline.2": entry(3)})
    assert (seqs(change), change.version, change.type) == ([2, 3], 3, ChangeType.CHANGED)
    assert change.route is not None
    assert change.route.owner == "ann"


def test_times_of_an_event_are_in_utc() -> None:
    change = updated(version=3, **{"timeline.1": entry(2, nextRunAt=DUE)})
    assert [(event.at, event.next_run_at) for event in change.events] == [(DUE, DUE)]


def test_update_of_an_old_entry_is_no_event() -> None:
    assert seqs(updated(version=3, **{"timeline.0.error": {"name": "E"}})) == []


def test_progress_has_no_event_and_no_route() -> None:
    change = updated(version=3, progress={"done": 1})
    assert (change.events, change.route) == ((), None)


def test_replacing_update_appended_its_last_entry() -> None:
    assert seqs(replaced(entry(1), entry(2))) == [2]


def test_replacing_update_appended_the_entries_of_its_version() -> None:
    change = replaced(entry(1, version=4), entry(2, version=5), entry(3, version=5))
    assert seqs(change) == [2, 3]


def test_insert_carries_its_whole_timeline() -> None:
    full = {"owner": "ann", "version": 1, "timeline": [entry(1)], "scheduledTime": DUE}
    change = decoded(operationType="insert", fullDocument=full)
    assert (seqs(change), change.scheduled_time) == ([1], DUE)


def test_farewell_is_the_deletion_and_tells_whose_document_it_was() -> None:
    change = updated(deleted={"owner": "ann"})
    assert change.type is ChangeType.DELETED
    assert change.route is not None
    assert change.route.owner == "ann"


def test_deletion_itself_does_not_tell_whose_document_it_was() -> None:
    change = decoded(operationType="delete")
    assert (change.type, change.route) == (ChangeType.DELETED, None)


def test_what_happened_before_a_collection_vanished_is_dropped() -> None:
    insert = EVENT | {"operationType": "insert", "fullDocument": {"owner": "ann"}}
    drop = {"_id": {"_data": "82AB"}, "operationType": "drop", "ns": {"coll": "jobs"}}
    batch = decode_batch([RawBSONDocument(bson.encode(event)) for event in (insert, drop, insert)])
    assert batch.invalidated_at == Position("82AB")
    assert len(batch.changes) == 1
