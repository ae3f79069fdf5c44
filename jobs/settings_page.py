"""Renders docs/configuration.md from the settings; run by `make docs`."""

from pathlib import Path
from types import NoneType
from typing import get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ostinato.jobs.settings import Mode, Settings

HEAD = """\
# Configuration

Ostinato reads its settings from environment variables when a process starts. Restart the process to
pick up changes. A process logs a warning for each `OSTINATO_` variable that is not a setting. This
page is generated from `jobs/settings.py`, `jobs/token_settings.py`, `jobs/request_limits.py` and
`jobs/quotas/limits.py` by `make docs`.

| variable | type | default | meaning |
|---|---|---|---|
"""
TYPE_NAMES: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    SecretStr: "secret",
    Path: "file",
    Mode: "enum",
}


def render_page() -> str:
    """Return the page as Markdown."""
    own = {name: Settings.model_fields[name] for name in Settings.__annotations__}
    inherited = Settings.model_fields  # pydantic lists inherited fields first
    return HEAD + "".join(_row(name, field) for name, field in {**own, **inherited}.items())


def _row(name: str, field: FieldInfo) -> str:
    variable = f"`OSTINATO_{name.upper()}`"
    return f"| {variable} | {_type(field)} | {_default(field)} | {field.description} |\n"


def _type(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "list"
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return TYPE_NAMES[kinds[0] if kinds else field.annotation]


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


if __name__ == "__main__":
    print(render_page(), end="")
