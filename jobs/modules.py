"""Owns the import of the modules whose functions jobs can run: ours, and a user's."""

import importlib
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ostinato.jobs.registry import registry

BUILT_IN: Final = "ostinato.jobs.functions"

_MACHINERY: Final = ("<frozen", importlib.__file__, str(Path(__file__).parent))


def import_problems(modules: Iterable[str]) -> list[str]:
    """Import our functions and then a user's; say of each module that cannot be why not."""
    registry.load([BUILT_IN])
    return [
        f"{module} cannot be imported: {reason}" for module in modules for reason in _reason(module)
    ]


def _reason(module: str) -> Iterator[str]:
    try:
        registry.load([module])
    except Exception as error:
        yield f"{type(error).__name__}: {error}{_where(error)}"


def _where(error: Exception) -> str:
    """Give the line of the user's code that failed; none for a module that was not found."""
    if isinstance(error, SyntaxError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if not each.filename.startswith(_MACHINERY)]
    last = theirs[-1] if theirs else None
    return f" ({Path(last.filename).name}, line {last.lineno})" if last else ""
