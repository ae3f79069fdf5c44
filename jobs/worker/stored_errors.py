"""The stored form of exceptions, safe against faulty exception classes. No I/O."""

import traceback
from typing import Any, Final

from ostinato.jobs.json_values import replace_surrogates

MAX_MESSAGE_CHARS: Final = 1_024  # at most 4 KiB in UTF-8
MAX_TRACEBACK_CHARS: Final = 4_096
MAX_FRAMES: Final = 30
MAX_CHAINED: Final = 20  # the text is truncated before this many
MAX_GROUPED: Final = 15
MAX_LINKED: Final = MAX_CHAINED + MAX_GROUPED
CHAIN_SEPARATOR: Final = "\nThe above exception led to the following one:\n\n"


def stored_error(name: str, message: str, trace: str | None = None) -> dict[str, Any]:
    """Build the stored form of an error, truncated to the limits."""
    return {
        "name": replace_surrogates(name[:MAX_MESSAGE_CHARS]),
        "message": replace_surrogates(message[:MAX_MESSAGE_CHARS]),
        "traceback": replace_surrogates(trace[-MAX_TRACEBACK_CHARS:]) if trace else None,
    }


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Build the stored form of an exception; never raises, even if the exception's class does."""
    name = name_of(error)
    try:
        return stored_error(name, message_of(error), traceback_of(error))
    except BaseException as failed:
        return stored_error(name, f"the error cannot be formatted: {name_of(failed)}")


def name_of(error: BaseException) -> str:
    """Return the name of an exception's class, even if a metaclass redefines `__name__`."""
    return str(type.__dict__["__name__"].__get__(type(error)))


def message_of(error: BaseException) -> str:
    try:
        return str.__str__(str(error))  # str() may return a subclass
    except BaseException as failed:  # user code ran here: it may even exit
        return f"the message cannot be formatted: {name_of(failed)}"


def traceback_of(error: BaseException) -> str:
    """Return the traceback as Python prints it; never raises.

    An error that is too large or cannot be printed gets a simplified traceback.
    """
    try:
        if _is_small(error):
            return "".join(traceback.format_exception(error, limit=-MAX_FRAMES))
    except BaseException:  # user code ran here
        return _plain_traceback_of(error)
    return _plain_traceback_of(error)


def _is_small(error: BaseException) -> bool:
    """Return whether fewer than MAX_LINKED errors are chained to an error or grouped in it.

    The traceback module formats all of them before it returns a line.
    """
    found, seen = [error], {id(error)}
    while found and len(seen) < MAX_LINKED:
        each = found.pop()
        members = each.exceptions[:MAX_LINKED] if isinstance(each, BaseExceptionGroup) else ()
        linked = (each.__cause__, each.__context__, *members)
        new = [one for one in linked if one is not None and id(one) not in seen]
        seen.update(map(id, new))
        found += new
    return not found


def _plain_traceback_of(error: BaseException) -> str:
    """Format an error, the nearest errors in its chain, and the first members of a group."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and len(chain) < MAX_CHAINED:
        chain.append(each)
        each = _origin_of(each)
    return CHAIN_SEPARATOR.join(_format_single(one) for one in reversed(chain))


def _origin_of(error: BaseException) -> BaseException | None:
    try:
        return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    except BaseException:  # user code ran here
        return None


def _format_single(error: BaseException) -> str:
    try:
        frames = traceback.format_tb(error.__traceback__, limit=-MAX_FRAMES)
    except BaseException:  # user code ran here
        frames = []
    lines = [_format_line(error)]
    if issubclass(type(error), BaseExceptionGroup):
        members = BaseExceptionGroup.exceptions.__get__(error)
        lines += [f"  | {_format_line(each)}" for each in members[:MAX_GROUPED]]
    return "".join(["Traceback (most recent call last):\n", *frames, *lines])


def _format_line(error: BaseException) -> str:
    return f"{name_of(error)}: {message_of(error)[:MAX_MESSAGE_CHARS]}\n"
