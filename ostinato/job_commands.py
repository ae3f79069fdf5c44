"""The commands that schedule, list, follow, cancel and retry jobs.

They use the Python client, for the system: they need MongoDB, and no API.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ostinato.cli_settings import exit_with, require_functions, settings_of_dev
from ostinato.job_tables import (
    escape_line,
    print_job,
    print_job_change,
    print_jobs,
    print_log,
)

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.client.options import ScheduleOptions
    from ostinato.jobs.records import JobState
    from ostinato.resolvers.live.messages import LiveMessage

UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
QUIET_S: Final = 1.0  # lines are stored within half a second
DURATION: Final = re.compile(r"(\d{1,9})([smhd]?)")

job_commands = typer.Typer()

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, here or in GraphQL.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Only those of this user.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Number of rows.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only jobs with this tag; can be repeated.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Then print each change, until Ctrl-C.")]


@job_commands.command()
def schedule(  # noqa: PLR0913 (each is an option)
    function: Annotated[str, typer.Argument(help="The function's name, as `module.camelName`.")],
    args: Annotated[str, typer.Option("--args", help="The arguments, a JSON object.")] = "{}",
    after: Annotated[str | None, typer.Option("--after", help="A delay: 90s, 5m, 2h, 1d.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="A time: 2030-01-31T12:00:00Z; UTC if it has no zone."),
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="The job's owner.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="An idempotency key.")] = None,
    queue: Annotated[str, typer.Option("--queue", help="The job's queue.")] = "default",
    priority: Annotated[int, typer.Option("--priority", help="0 to 9, higher sooner.")] = 0,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag of the job; can be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Schedule a job, due now unless --after or --at is given, and print it."""
    given = _parsed_args(args)
    options: ScheduleOptions = {"owner": owner, "queue": queue, "priority": priority}
    options["tags"] = tag or ()
    if after is not None:
        options["run_after"] = _duration(after)
    if at is not None:
        options["run_at"] = _instant(at)
    if key is not None:
        options["key"] = key

    async def run(app: "Ostinato") -> None:
        handle = await app.schedule(function, given, **options)
        known = [each.name for each in app.engine.registry]
        if function not in known:
            typer.echo(escape_line(_unknown_note(function, known)), err=True)
        print_jobs([await app.get(handle.id)], as_json)

    run_command(run)


@job_commands.command()
def jobs(  # noqa: PLR0913 (each is an option)
    state: Annotated[
        list[str] | None, typer.Option("--state", help="PENDING, FAILED, …; can be repeated.")
    ] = None,
    function: Annotated[str | None, typer.Option("--function", help="Only its jobs.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Only jobs of this queue.")] = None,
    tag: Tags = None,
    owner: Owner = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """List the newest jobs."""
    from ostinato.jobs.filters import JobFilter

    states = tuple(map(_state, state)) if state else None
    which = JobFilter(states=states, function_name=function, queue=queue, tags=tuple(tag or ()))

    async def run(app: "Ostinato") -> None:
        async def list_rows() -> None:
            page = await app.jobs(which, owner=owner, first=limit)
            print_jobs(reversed(page.items) if watch else page.items, as_json)

        changes = app.changes(which, owner=owner) if watch else None
        await show(list_rows, changes, lambda message: print_job_change(message, as_json))

    run_command(run)


@job_commands.command()
def job(job_id: JobId, as_json: AsJson = False, watch: Watch = False) -> None:
    """Print a job with its arguments, its result or error, and its timeline."""

    from ostinato.resolvers.live.messages import ChangeKind

    async def run(app: "Ostinato") -> None:
        document_id = _document_id(job_id)
        if not watch:
            print_job(await app.get(document_id), as_json)
            return
        async with aclosing(app.job_changes(document_id)) as messages:
            async for message in messages:
                if message.kind is ChangeKind.SNAPSHOT and message.record is not None:
                    print_job(message.record, as_json)
                elif message.event is not None:
                    print_job_change(message, as_json)

    run_command(run)


@job_commands.command()
def logs(
    job_id: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Then print each new line, until the job has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a job's function has written with ctx.log."""

    async def run(app: "Ostinato") -> None:
        document_id = _document_id(job_id)
        if follow:
            await _follow_log(app, document_id, as_json)
        else:
            print_log((await app.logs(document_id)).items, as_json)

    run_command(run)


@job_commands.command()
def cancel(
    job_id: JobId,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Also cancel the jobs that it has led to.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a pending job, or ask a running one to stop."""

    async def run(app: "Ostinato") -> None:
        print_jobs([await app.cancel(_document_id(job_id), cascade=cascade)], as_json)

    run_command(run)


@job_commands.command()
def reschedule(
    job_id: JobId,
    after: Annotated[str | None, typer.Option("--after", help="A delay: 90s, 5m, 2h, 1d.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="A time: 2030-01-31T12:00:00Z.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change when a pending job is due."""
    if (after is None) == (at is None):
        exit_with("write either --after or --at")
    run_after = None if after is None else _duration(after)
    run_at = None if at is None else _instant(at)

    async def run(app: "Ostinato") -> None:
        document_id = _document_id(job_id)
        changed = await app.reschedule(document_id, run_at=run_at, run_after=run_after)
        print_jobs([changed], as_json)

    run_command(run)


@job_commands.command()
def retry(job_id: JobId, as_json: AsJson = False) -> None:
    """Run a failed or canceled job again."""

    async def run(app: "Ostinato") -> None:
        print_jobs([await app.retry(_document_id(job_id))], as_json)

    run_command(run)


def run_command(command: "Callable[[Ostinato], Awaitable[None]]") -> None:
    """Run a command with an open client; exit with the message of an error."""
    from ostinato.application import Ostinato
    from ostinato.jobs.errors import OstinatoError
    from ostinato.jobs.mongo.diagnostics import startup_problem

    settings = settings_of_dev()
    require_functions(settings)

    async def run() -> None:
        if problem := await startup_problem(settings.mongo_url, settings.database):
            exit_with(problem)
        async with Ostinato.open(settings) as app:
            await command(app)

    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(run())
        except OstinatoError as error:
            exit_with(str(error))


async def _follow_log(app: "Ostinato", job_id: str, as_json: bool) -> None:
    """Print the lines of a job until it has ended, and no line has come for a moment."""
    from ostinato.jobs.lifecycle import FINAL_STATES

    async with aclosing(app.log_changes(job_id)) as messages:
        reading = asyncio.ensure_future(anext(messages))
        while True:
            done, _ = await asyncio.wait({reading}, timeout=QUIET_S)
            if done:
                print_log(reading.result().lines, as_json)
                reading = asyncio.ensure_future(anext(messages))
            elif (await app.get(job_id)).state in FINAL_STATES:
                break
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def show(
    list_rows: Callable[[], Awaitable[None]],
    changes: "AsyncGenerator[LiveMessage[Any], None] | None",
    print_change: "Callable[[LiveMessage[Any]], None]",
) -> None:
    """List the rows; if changes are followed, once they are, and then print each change."""
    if changes is None:
        await list_rows()
        return
    from ostinato.resolvers.live.messages import ChangeKind

    async with aclosing(changes):
        async for message in changes:
            if message.kind is ChangeKind.READY:
                await list_rows()
            elif message.kind in (ChangeKind.CHANGED, ChangeKind.LEFT):
                print_change(message)


def _unknown_note(function: str, known: Sequence[str]) -> str:
    from ostinato.jobs.nearest import nearest

    near = nearest(function, known)
    hint = f" Did you mean {near}?" if near else ""
    return (
        f"{function} is not in a module of OSTINATO_FUNCTIONS, so its arguments were not "
        f"validated: a worker that has it will run the job.{hint}"
    )


def _parsed_args(text: str) -> dict[str, object]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        exit_with(f'--args is not JSON ({error}): write --args \'{{"name": "value"}}\'')
    if not isinstance(given, dict):
        exit_with(f"--args must be a JSON object, got {text:.100}")
    return given


def _duration(text: str) -> timedelta:
    found = DURATION.fullmatch(text)
    if found is None:
        exit_with(f"--after must be a number with s, m, h or d, such as 5m, got {text!r:.100}")
    return timedelta(seconds=int(found[1]) * UNITS_S[found[2]])


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        exit_with(f"--at must be a time such as 2030-01-31T12:00:00Z, got {text!r:.100}")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _document_id(text: str) -> str:
    """Return the id of a job, which may be given as the GraphQL API returns it."""
    from ostinato.jobs.ids import is_id

    if is_id(text):
        return text
    from ostinato.schema.ids import document_id

    try:
        return document_id(text, "Job")
    except ValueError as error:
        exit_with(f"{text!r:.100} {error}")


def _state(text: str) -> "JobState":
    from ostinato.jobs.records import JobState

    try:
        return JobState[text.upper()]
    except KeyError:
        names = ", ".join(JobState.__members__)
        exit_with(f"--state must be one of {names}, got {text!r:.100}")
