"""Errors after which a client reconnects and resumes, including outages of MongoDB."""

import pytest
from pymongo.errors import ConnectionFailure

from ostinato.jobs.errors import NotFound, OstinatoError, SlowConsumer, Unavailable
from ostinato.schema.transports.connections import ConnectionClosing
from ostinato.schema.transports.graphql_ws import CloseCode
from ostinato.schema.transports.operations import _format_source_error, to_resumable_error

RESUMABLE_ERRORS = [
    Unavailable("gone"),
    SlowConsumer("read faster"),
    ConnectionFailure("reset by peer"),
]


@pytest.mark.parametrize("error", RESUMABLE_ERRORS, ids=repr)
def test_resumable_error_closes_the_socket(error: Exception) -> None:
    """graphql-ws treats an `error` message as final: it would not subscribe again."""
    with pytest.raises(ConnectionClosing) as closing:
        _format_source_error(error)
    assert closing.value.code == CloseCode.TRY_AGAIN_LATER
    assert isinstance(to_resumable_error(error), OstinatoError)


@pytest.mark.parametrize("error", [NotFound("no such job"), RuntimeError("hunter2")], ids=repr)
def test_other_errors_end_only_their_operation(error: Exception) -> None:
    assert _format_source_error(error)["extensions"]
    assert to_resumable_error(error) is None
