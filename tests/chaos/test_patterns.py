"""The checks of requests and batches detect violations: each dump here has exactly one."""

from typing import Any

import pytest

from benchmarks.chaos.live.final_state import encode_global_id
from benchmarks.chaos.live.patterns import (
    DOUBLED_ITEM,
    LOST_ANSWER,
    UNFINISHED,
    WRONG_COUNT,
    violations,
)

ANSWERED = {"requestId": encode_global_id("Request", "a"), "state": "COMPLETED", "result": 7}
LATE = {
    "requestId": encode_global_id("Request", "b"),
    "state": "TIMEOUT",
    "result": None,
    "lateAnswer": {"result": 8},
}


def dump(**changes: Any) -> dict[str, list[dict[str, Any]]]:
    """Return a database without a violation, except for the changes."""
    return {
        "requests": [
            {"_id": "a", "state": "completed", "result": 7},
            {"_id": "b", "state": "timeout", "result": None, "lateAnswer": 8},
        ],
        "items": [
            {"_id": "1", "owner": "ann", "processed": True, "version": 2},
            {"_id": "2", "owner": "ann", "processed": False, "version": 1},
        ],
        "batches": [{"_id": "x", "owner": "ann", "state": "done", "processed": 1}],
        **changes,
    }


def test_correct_run_has_no_violation() -> None:
    assert violations(dump(), [ANSWERED, LATE]) == {}


ITEM = {"_id": "1", "owner": "ann", "processed": True, "version": 3}
BATCH = {"_id": "x", "owner": "ann", "state": "done", "processed": 1}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"requests": []}, LOST_ANSWER),
        ({"requests": [{"_id": "a", "state": "completed", "result": 6}]}, LOST_ANSWER),
        ({"requests": [{"_id": "a", "state": "timeout", "lateAnswer": 7}]}, LOST_ANSWER),
        ({"items": [ITEM]}, DOUBLED_ITEM),
        ({"items": [ITEM | {"version": 1}]}, DOUBLED_ITEM),
        ({"items": []}, WRONG_COUNT),
        ({"batches": [BATCH | {"processed": 2}]}, WRONG_COUNT),
        ({"batches": [BATCH | {"state": "paused"}]}, UNFINISHED),
    ],
)
def test_violation_is_found(changes: dict[str, Any], name: str) -> None:
    assert violations(dump(**changes), [ANSWERED]).keys() == {name}
