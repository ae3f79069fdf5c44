"""Imports the function modules, built-in and user-defined."""

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ostinato.jobs.declarations import DeclarationError, file_of, location_of
from ostinato.jobs.nearest import nearest
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
    except ModuleNotFoundError as error:
        yield f"{type(error).__name__}: {error}{_hint(module, error.name or '') or _where(error)}"
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


def _hint(module: str, missing: str) -> str:
    """Return how to fix a module that was not found; empty if one that it imports is missing."""
    if missing != module and not module.startswith(f"{missing}."):
        return ""
    parent, _, name = missing.rpartition(".")
    folders = getattr(sys.modules[parent], "__path__", []) if parent else [str(Path.cwd())]
    near = nearest(name, [each.name for each in pkgutil.iter_modules(folders)])
    if near:
        similar = f"{parent}.{near}" if parent else near
        return f"; did you mean {similar + module.removeprefix(missing)!r}?"
    is_searched = not {"", str(Path.cwd())}.isdisjoint(sys.path)
    where = f"the current folder, {Path.cwd()}, is {'' if is_searched else 'not '}on sys.path"
    return f"; {where}: run the command in your project's folder, or install the module"


def _where(error: Exception) -> str:
    """Return the failing line of the user's code; empty for a module that was not found."""
    if isinstance(error, SyntaxError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    user_frames = [each for each in frames if not each.filename.startswith(_MACHINERY)]
    last = user_frames[-1] if user_frames else None
    return f" ({Path(last.filename).name}, line {last.lineno})" if last else ""
