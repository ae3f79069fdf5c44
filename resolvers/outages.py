"""Tells an outage from a fault of ours: what clients may simply try again."""

from ostinato.jobs.errors import TimedOut, Unavailable
from ostinato.jobs.mongo.client import is_transient
from ostinato.jobs.mongo.transaction import Contended


def expected(error: Exception) -> Exception:
    """Return the error that a client is told of; what is no outage stays as it is."""
    if is_transient(error):
        return Unavailable("the database does not answer: try again")
    if isinstance(error, Contended):
        return Unavailable("too many changes of the same objects at once: try again")
    if isinstance(error, TimeoutError):
        return TimedOut("it took too long, and may have happened: look before you try again")
    return error
