"""The settings of a command: read, checked, and completed from a running `ostinato dev`."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import typer

if TYPE_CHECKING:
    from ostinato.jobs.settings import Settings

DEV_FOLDER: Final = Path(".ostinato")
SERVERS_AND_KEYS: Final = frozenset(
    {"mongo_url", "redis_url", "jwt_secret", "jwt_public_key", "jwt_jwks_url"}
)
"""If none of these is set, commands use those of a running `ostinato dev`."""


def read_settings() -> "Settings":
    """Read the settings; exit with one line per mistake."""
    from pydantic import ValidationError

    from ostinato.jobs.plain_messages import plain_message
    from ostinato.jobs.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        lines = (f"OSTINATO_{_name(each['loc'])}: {plain_message(each)}" for each in error.errors())
        exit_with("\n".join(lines))


def settings_of_dev() -> "Settings":
    """Read the settings; without servers and keys, use those of a running `ostinato dev`.

    They become variables of this process.
    """
    settings = read_settings()
    if settings.model_fields_set & SERVERS_AND_KEYS or not (variables := _variables_of_dev()):
        return settings
    folder = DEV_FOLDER.resolve()
    typer.echo(f"Using the settings of the running `ostinato dev` ({folder})", err=True)
    os.environ.update(variables | dict(os.environ))
    os.environ["OSTINATO_MODE"] = "development"
    return read_settings()


def _variables_of_dev() -> dict[str, str]:
    """Return the variables of the `ostinato dev` that runs in this folder; empty without one."""
    if not (DEV_FOLDER / "dev.json").exists():
        return {}
    from ostinato.jobs.embedded.data_folder import (
        SHARED_VARIABLES,
        local_secret,
        running_description,
    )
    from ostinato.resolvers.auth import is_signed_with

    if (running := running_description(DEV_FOLDER)) is None:
        return {}
    names = {**SHARED_VARIABLES, "mongoUrl": "OSTINATO_MONGO_URL", "redisUrl": "OSTINATO_REDIS_URL"}
    variables = {name: running[key] for key, name in names.items() if key in running}
    secret = local_secret(DEV_FOLDER)
    if is_signed_with(running["token"], secret):  # otherwise dev uses OSTINATO_JWT_SECRET
        variables |= {
            "OSTINATO_JWT_SECRET": secret,
            "OSTINATO_DEVELOPMENT_TOKEN": running["token"],
        }
    return variables


def require_functions(settings: "Settings") -> None:
    """Import the user's modules; exit with one line per module that cannot be imported."""
    from ostinato.jobs.modules import import_problems

    if problems := import_problems(settings.functions):
        exit_with("\n".join(f"OSTINATO_FUNCTIONS: {problem}" for problem in problems))


@contextmanager
def reporting_a_full_disk() -> Iterator[None]:
    """Exit with a message, instead of a traceback, if the output or a file cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        with suppress(OSError, ValueError):  # otherwise, Python's last flush would fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"Cannot write: {error.strerror}")


def exit_with(message: str) -> NoReturn:
    """Print an error and exit with status 1."""
    from ostinato.jobs.logs import LINE_BREAKS, escape_text

    typer.secho(escape_text(message, LINE_BREAKS), err=True, fg="red")
    raise typer.Exit(1)


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "*"
