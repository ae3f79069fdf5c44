"""The command that writes a new project."""

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

import typer

from ostinato.cli.settings import exit_with

TEMPLATE: Final = Path(__file__).parents[1] / "project_template"
"""The files that `ostinato init` writes."""
ProjectFolder = Annotated[Path, typer.Argument(help="Folder of the project; created if missing.")]


def init(folder: ProjectFolder = Path()) -> None:
    """Write a small project: functions, tests, a Dockerfile and a compose.yaml."""
    copies = {folder / path.relative_to(TEMPLATE): path for path in _template_files()}
    if wheel := _installed_wheel():
        copies[folder / "wheels" / wheel.name] = wheel
    if existing := [str(path) for path in copies if path.exists() or path.is_symlink()]:
        exit_with(f"Nothing was written, because of existing files: {', '.join(existing)}")
    try:
        for path, source in copies.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(source.read_bytes())
    except OSError as error:
        exit_with(f"Cannot write {error.filename} ({error.strerror}): choose another folder")
    typer.echo(f"Wrote {len(copies)} files into {folder.resolve()}; README.md has the commands.")
    if not wheel:
        typer.echo("Copy the wheel of Ostinato (make dist in a clone) into its folder wheels.")
    typer.echo("Start the project there: OSTINATO_FUNCTIONS=orders ostinato dev")


def _template_files() -> list[Path]:
    found = sorted(path for path in TEMPLATE.rglob("*") if path.is_file())
    return [path for path in found if path.parent.name != "__pycache__"]


def _installed_wheel() -> Path | None:
    """Return the wheel file that pip installed Ostinato from; None if there is none any more."""
    origin = distribution("ostinato").read_text("direct_url.json") or "{}"
    wheel = Path(unquote(urlsplit(json.loads(origin).get("url", "")).path))
    return wheel if wheel.suffix == ".whl" and wheel.is_file() else None
