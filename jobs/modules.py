"""Imports the function modules, built-in and user-defined."""

import importlib
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ostinato.jobs.declarations import DeclarationError, file_of, location_of
from ostinato.jobs.registry import PREFIX, default_name, registry

BUILT_IN: Final = "ostinato.jobs.functions"

_MACHINERY: Final = ("<frozen", importlib.__file__, str(Path(__file__).parent))


def import_problems(modules: Iterable[str]) -> list[str]:
    """Import the built-in functions and a user's modules; return one line per failed module."""
    registry.load([BUILT_IN])
    return [
        f"{module} cannot be imported: {reason}" for module in modules for reason in _reason(module)
    ]


def _reason(module: str) -> Iterator[str]:
    try:
        registry.load([module])
    except DeclarationError as error:
        yield str(error)
    except Exception as error:
        yield f"{type(error).__name__}: {error}{_where(error)}"
    else:
        yield from _late_prefix(module)


def _late_prefix(module: str) -> Iterator[str]:
    """Yield the first function that was named before its module set its prefix."""
    for function in registry:
        named_otherwise = function.has_default_name and function.name != default_name(function.call)
        if function.call.__module__ == module and named_otherwise:
            place = f"{PREFIX} is set below it; move that line to the top of "
            yield f"{location_of(function.call)}: {place}{file_of(function.call)}"
            return


def _where(error: Exception) -> str:
    """Return the failing line of the user's code; empty for a module that was not found."""
    if isinstance(error, SyntaxError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    user_frames = [each for each in frames if not each.filename.startswith(_MACHINERY)]
    last = user_frames[-1] if user_frames else None
    return f" ({Path(last.filename).name}, line {last.lineno})" if last else ""
