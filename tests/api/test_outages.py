"""Outages are distinguished from internal errors, so that clients know to retry."""

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    CursorNotFound,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WriteError,
)

from ostinato.jobs.engine import to_client_error
from ostinato.jobs.errors import Conflict
from ostinato.jobs.mongo.transaction import Contended
from ostinato.schema.errors import format_exception

OUTAGE_ERRORS = (
    AutoReconnect,
    ConfigurationError,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    Contended,
)


@pytest.mark.parametrize("kind", OUTAGE_ERRORS)
def test_an_unreachable_database_is_unavailable(kind: type[Exception]) -> None:
    formatted = format_exception(kind("secret-host:27017 is unreachable"))
    assert formatted["extensions"] == {"code": "UNAVAILABLE"}
    assert "secret-host" not in formatted["message"]


INTERRUPTED = (24, 175, 202, 237, 239, 246, 262, 290, 365)
STEPPED_DOWN = {"code": 189, "errmsg": "Not primary while writing"}


@pytest.mark.parametrize(
    "error",
    [
        WriteError("stepping down", 189, STEPPED_DOWN),
        BulkWriteError({"writeErrors": [STEPPED_DOWN]}),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 91}]}),
        WriteConcernError("not replicated to a majority", 91),
        CursorNotFound("cursor lost with its server", 43),
        *(OperationFailure("interrupted", code) for code in INTERRUPTED),
    ],
)
def test_a_server_that_disappears_during_an_operation_is_unavailable(error: Exception) -> None:
    assert format_exception(error)["extensions"] == {"code": "UNAVAILABLE"}


def test_timeout_error_is_a_timeout() -> None:
    assert format_exception(TimeoutError())["extensions"] == {"code": "TIMEOUT"}


@pytest.mark.parametrize(
    "error", [OperationFailure("no"), WriteError("bad", 2), KeyError("x"), Conflict("taken")]
)
def test_other_errors_are_unchanged(error: Exception) -> None:
    assert to_client_error(error) is error


def test_a_transaction_that_took_too_long_is_not_only_blamed_on_others() -> None:
    error = to_client_error(Contended("no commit within 10 s"))
    assert str(error).startswith("it took longer than 10 s, or other changes to the same objects")
