"""The commands that list, follow and change crons, and apply sets of them.

They use the Python client, for the system: they need MongoDB, and no API.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from ostinato.cli_settings import exit_with
from ostinato.job_commands import AsJson, Limit, Owner, Watch, run_command, show
from ostinato.job_tables import print_cron_change, print_crons, print_jobs

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.client.cron_verbs import DeclaredCron
    from ostinato.jobs.records import CatchUpPolicy, Cron, OverlapPolicy

cron_commands = typer.Typer(
    invoke_without_command=True, help="List the newest crons, or change one."
)

CronId = Annotated[str, typer.Argument(metavar="CRON", help="The cron's id, or its name.")]
OwnerOfCron = Annotated[str | None, typer.Option("--owner", help="The cron's owner.")]
Expected = Annotated[
    int | None, typer.Option("--expected-version", help="Fail if it has another version.")
]


@cron_commands.callback()
def crons(
    context: typer.Context,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest crons, or change one."""
    if context.invoked_subcommand is not None:
        return

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            page = await app.crons(owner=owner, first=limit)
            print_crons(reversed(page.items) if watch else page.items, as_json)

        changes = app.cron_changes(owner=owner) if watch else None
        await show(list_rows, changes, lambda message: print_cron_change(message, as_json))

    run_command(run)


@cron_commands.command()
def pause(
    cron: CronId, owner: OwnerOfCron = None, version: Expected = None, as_json: AsJson = False
) -> None:
    """Pause a cron until it is resumed."""
    _change(cron, owner, as_json, lambda app, key: app.pause_cron(key, expected_version=version))


@cron_commands.command()
def resume(
    cron: CronId, owner: OwnerOfCron = None, version: Expected = None, as_json: AsJson = False
) -> None:
    """Resume a paused cron from now."""
    _change(cron, owner, as_json, lambda app, key: app.resume_cron(key, expected_version=version))


@cron_commands.command()
def skip(
    cron: CronId, owner: OwnerOfCron = None, version: Expected = None, as_json: AsJson = False
) -> None:
    """Skip the next run of a cron."""
    _change(cron, owner, as_json, lambda app, key: app.skip_next_run(key, expected_version=version))


@cron_commands.command()
def trigger(
    cron: CronId,
    owner: OwnerOfCron = None,
    key: Annotated[str | None, typer.Option("--key", help="An idempotency key.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a cron's function now; its schedule stays."""

    async def run(app: "Ostinato") -> None:
        cron_id = await _find(app, cron, owner)
        print_jobs([await app.trigger_cron(cron_id, key)], as_json)

    run_command(run)


@cron_commands.command()
def delete(cron: CronId, owner: OwnerOfCron = None, version: Expected = None) -> None:
    """Delete a cron; its jobs remain."""

    async def run(app: "Ostinato") -> None:
        await app.delete_cron(await _find(app, cron, owner), expected_version=version)

    run_command(run)


@cron_commands.command()
def apply(
    file: Annotated[Path, typer.Argument(help="A JSON file: the input of `applyCrons`.")],
    owner: OwnerOfCron = None,
) -> None:
    """Make a set of crons equal to those of a file, and print what has changed.

    The file is the input of the mutation applyCrons, with managedBy and crons.
    """
    managed_by, declared = _read_set(file)

    async def run(app: "Ostinato") -> None:
        applied = await app.apply_crons(managed_by, declared, owner=owner)
        for what, found in (("created", applied.created), ("updated", applied.updated)):
            for each in found:
                typer.echo(f"{what} {each.name}")
        typer.echo(f"{len(applied.deleted_ids)} deleted, {len(applied.unchanged)} unchanged")

    run_command(run)


def _change(
    cron: str,
    owner: str | None,
    as_json: bool,
    verb: "Callable[[Ostinato, str], Awaitable[Cron]]",
) -> None:
    """Find a cron, change it and print it."""

    async def run(app: "Ostinato") -> None:
        print_crons([await verb(app, await _find(app, cron, owner))], as_json)

    run_command(run)


async def _find(app: "Ostinato", given: str, owner: str | None) -> str:
    """Return the document id of a cron, which may be given by any of its ids or by its name."""
    from ostinato.jobs.ids import is_id
    from ostinato.schema.ids import document_id

    if is_id(given):
        return given
    try:
        return document_id(given, "Cron")
    except ValueError:
        return (await app.cron_named(given, owner=owner)).id


def _read_set(file: Path) -> "tuple[str, list[DeclaredCron]]":
    """Read the input of applyCrons; exit if it is not that."""
    try:
        given = json.loads(file.read_text())
        declared = [_declared(each) for each in given["crons"]]
        return str(given["managedBy"]), declared
    except OSError as error:
        exit_with(f"{file} cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        exit_with(
            f"{file} is not the input of applyCrons ({error!r:.200}): write "
            '{"managedBy": "deploy", "crons": [{"name": "night", "cronspec": "0 3 * * *"}]}'
        )


def _declared(given: dict[str, object]) -> "DeclaredCron":
    unknown = given.keys() - OPTIONS.keys()
    if unknown:
        raise ValueError(f"there is no field {min(unknown)!r}")
    named = {name: OPTIONS[name] for name in given}
    return cast(
        "DeclaredCron",
        {option: convert(given[name]) for name, (option, convert) in named.items()},
    )


def _overlap(name: str) -> "OverlapPolicy":
    from ostinato.jobs.records import OverlapPolicy

    return OverlapPolicy[name]


def _catch_up(name: str) -> "CatchUpPolicy":
    from ostinato.jobs.records import CatchUpPolicy

    return CatchUpPolicy[name]


def _same(value: object) -> object:
    return value


def _milliseconds(value: int) -> timedelta:
    return timedelta(milliseconds=value)


OPTIONS: Final[dict[str, tuple[str, Callable[[Any], object]]]] = {
    "name": ("name", _same),
    "intervalMs": ("every", _milliseconds),
    "cronspec": ("cronspec", _same),
    "tz": ("tz", _same),
    "functionName": ("function", _same),
    "args": ("args", _same),
    "overlap": ("overlap", _overlap),
    "catchUp": ("catch_up", _catch_up),
    "jitterMs": ("jitter", _milliseconds),
    "startAt": ("start_at", datetime.fromisoformat),
    "endAt": ("end_at", datetime.fromisoformat),
    "tags": ("tags", _same),
    "maxRuns": ("max_runs", _same),
    "catchUpWindowMs": ("catch_up_window", _milliseconds),
    "pauseAfterFailures": ("pause_after_failures", _same),
}
"""The option of the Python client for each field of the API, and how its value is converted."""
