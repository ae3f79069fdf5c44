"""Owns docs/configuration.md, made from the settings themselves: `make docs` writes it."""

from pathlib import Path
from types import NoneType
from typing import get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ostinato.jobs.settings import Mode, Settings

HEAD = """\
# Configuration

Ostinato reads environment variables when a process starts. This page is made from
`jobs/settings.py` by `make docs`, and a test holds it to the code.

| variable | type | default | meaning |
|---|---|---|---|
"""
WORDS: dict[object, str] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    SecretStr: "secret",
    Path: "file",
    Mode: "word",
}


def page() -> str:
    """Return the page, whole."""
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    variable = f"`OSTINATO_{name.upper()}`"
    return f"| {variable} | {_type(field)} | {_default(field)} | {field.description} |\n"


def _type(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "list"
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return WORDS[kinds[0] if kinds else field.annotation]


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


if __name__ == "__main__":
    print(page(), end="")
