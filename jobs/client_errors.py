"""Converts errors of the database to errors that clients can retry."""

from ostinato.jobs.errors import TimedOut, Unavailable
from ostinato.jobs.mongo.client import is_transient
from ostinato.jobs.mongo.transaction import Contended


def to_client_error(error: Exception) -> Exception:
    """Return the error to send to a client; other errors are returned unchanged."""
    if is_transient(error):
        return Unavailable("the database is unavailable: try again")
    if isinstance(error, Contended):
        return Unavailable("too many concurrent changes to the same objects: try again")
    if isinstance(error, TimeoutError):
        return TimedOut("it took too long, but may have happened: check before you try again")
    return error
