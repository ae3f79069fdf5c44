"""Outages: told apart from faults of ours, so that clients know to try again."""

import pytest
from pymongo.errors import (
    AutoReconnect,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from jobs.errors import Conflict
from jobs.mongo.transaction import Contended
from resolvers.outages import expected
from schema.errors import format_exception

AWAY = (
    AutoReconnect,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    Contended,
)


@pytest.mark.parametrize("kind", AWAY)
def test_a_database_that_does_not_answer_is_unavailable(kind: type[Exception]) -> None:
    told = format_exception(kind("secret-host:27017 is away"))
    assert told["extensions"] == {"code": "UNAVAILABLE"}
    assert "secret-host" not in told["message"]


def test_what_takes_too_long_is_a_timeout() -> None:
    assert format_exception(TimeoutError())["extensions"] == {"code": "TIMEOUT"}


@pytest.mark.parametrize("error", [OperationFailure("no"), KeyError("x"), Conflict("taken")])
def test_anything_else_stays_as_it_is(error: Exception) -> None:
    assert expected(error) is error
