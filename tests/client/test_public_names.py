"""What `import ostinato` offers, and the tree of errors that its users catch."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import ostinato
from ostinato.jobs import errors
from ostinato.jobs.errors import OstinatoError

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def _subclasses(error: type[OstinatoError]) -> Iterator[type[OstinatoError]]:
    for each in error.__subclasses__():
        yield each
        yield from _subclasses(each)


@pytest.mark.parametrize("name", ostinato.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    assert getattr(ostinato, name).__name__ == name


def test_the_tree_of_errors_lists_every_error_with_its_code() -> None:
    for module in walk_packages(ostinato.__path__, "ostinato."):
        if "__main__" not in module.name:
            import_module(module.name)
    product = {e for e in _subclasses(OstinatoError) if e.__module__.startswith("ostinato.")}
    rows = re.findall(r"^[│├└─ ]+ (\w+) +([A-Z_]+)\b", errors.__doc__ or "", re.M)
    assert set(rows) == {(error.__name__, error.code) for error in product}


def test_every_public_error_is_in_the_tree_of_the_python_page() -> None:
    found = (getattr(ostinato, name) for name in ostinato.__all__)
    public = {each for each in found if isinstance(each, type) and issubclass(each, OstinatoError)}
    rows = re.findall(r"^[├└]── (\w+) ", PAGE.read_text(), re.M)
    assert set(rows) == {error.__name__ for error in public} - {"OstinatoError"}
