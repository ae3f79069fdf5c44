"""Converts database errors to errors that clients can retry."""

from ostinato.jobs.errors import TimedOut, Unavailable
from ostinato.jobs.mongo.client import is_transient
from ostinato.jobs.mongo.transaction import Contended


def to_client_error(error: Exception) -> Exception:
    """Convert transient errors and timeouts for a client; return any other error unchanged."""
    if is_transient(error):
        return Unavailable("the database is unavailable: try again")
    if isinstance(error, Contended):
        return Unavailable("too many concurrent changes to the same objects: try again")
    if isinstance(error, TimeoutError):
        return TimedOut("it timed out, but may have taken effect: check before you try again")
    return error
