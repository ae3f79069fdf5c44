"""The commands that list, follow and change crons, and apply sets of them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ostinato.cli.cron_fields import CHANGED, DECLARED, RULES, Field, fields_of
from ostinato.cli.options import (
    AsJson,
    Limit,
    Owner,
    Watch,
    duration,
    has_subcommand,
    json_object,
    list_and_follow,
    run_command,
)
from ostinato.cli.settings import exit_with
from ostinato.cli.tables import (
    print_cron_change,
    print_crons,
    print_jobs,
    print_planned,
    print_run_changes,
)

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.client.cron_verbs import CronChanges, DeclaredCron
    from ostinato.client.schedule_verbs import PreviewOptions
    from ostinato.jobs.records import Cron

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
    if has_subcommand(context):
        return

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            page = await app.crons(owner=owner, first=limit)
            print_crons(reversed(page.items) if watch else page.items, as_json)

        changes = app.cron_changes(owner=owner) if watch else None
        await list_and_follow(
            list_rows, changes, lambda message: print_cron_change(message, as_json)
        )

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
def update(  # noqa: PLR0913 (each is an option)
    cron: CronId,
    cronspec: Annotated[str | None, typer.Option("--cronspec", help="A new schedule.")] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="A new interval instead: 90s, 5m, 2h, 1d.")
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", help="A new time zone.")] = None,
    changes: Annotated[
        str, typer.Option("--changes", help="More fields of updateCron, a JSON object.")
    ] = "{}",
    preview: Annotated[
        bool, typer.Option("--preview", help="Only print what it would do to the next runs.")
    ] = False,
    days: Annotated[int, typer.Option("--days", min=1, help="Days that --preview covers.")] = 30,
    owner: OwnerOfCron = None,
    version: Expected = None,
    as_json: AsJson = False,
) -> None:
    """Change a cron from its next tick on, or preview the change."""
    given = _fields("--changes", changes, CHANGED)
    patch = cast("CronChanges", given | _given(cronspec=cronspec, every=every, tz=tz))

    async def run(app: "Ostinato") -> None:
        cron_id = await _find(app, cron, owner)
        if preview:
            print_run_changes(await app.preview_cron_change(cron_id, days=days, **patch), as_json)
        else:
            changed = await app.update_cron(cron_id, expected_version=version, **patch)
            print_crons([changed], as_json)

    run_command(run)


@cron_commands.command()
def preview(  # noqa: PLR0913 (each is an option)
    cronspec: Annotated[str | None, typer.Argument(help="A cron expression.")] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="An interval instead: 90s, 5m, 2h, 1d.")
    ] = None,
    tz: Annotated[str, typer.Option("--tz", help="The time zone.")] = "UTC",
    rules: Annotated[
        str, typer.Option("--rules", help="onGap, onFold and exclusions, a JSON object.")
    ] = "{}",
    count: Annotated[int, typer.Option("--count", help="Number of ticks.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Print the next ticks of a schedule, also those that do not run."""
    given = _fields("--rules", rules, RULES) | _given(every=every, tz=tz)
    options = cast("PreviewOptions", given | {"count": count})

    async def run(app: "Ostinato") -> None:
        ticks = await app.preview_ticks(cronspec, **options)
        print_planned(ticks, as_json)

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


def _fields(option: str, text: str, allowed: Mapping[str, Field]) -> dict[str, Any]:
    """Return the options of the Python client for fields of the API in JSON; exit if one is
    wrong."""
    given = json_object(option, text)
    try:
        return fields_of(given, allowed)
    except ValueError as error:
        exit_with(f"{option}: {error}")


def _given(**options: str | None) -> dict[str, Any]:
    """Return the options that are given."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "every" in given:
        given["every"] = duration(given["every"], "--every")
    return given


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


def _declared(given: Mapping[str, object]) -> "DeclaredCron":
    """Return a cron of a set; null is the default, as in the API."""
    present = {name: value for name, value in given.items() if value is not None}
    return cast("DeclaredCron", fields_of(present, DECLARED))


def _read_set(file: Path) -> "tuple[str, list[DeclaredCron]]":
    """Read the input of applyCrons; exit if it is not that."""
    try:
        given = json.loads(file.read_text())
        return str(given["managedBy"]), [_declared(each) for each in given["crons"]]
    except OSError as error:
        exit_with(f"{file} cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        exit_with(
            f"{file} is not the input of applyCrons ({error!r:.200}): write "
            '{"managedBy": "deploy", "crons": [{"name": "night", "cronspec": "0 3 * * *"}]}'
        )
