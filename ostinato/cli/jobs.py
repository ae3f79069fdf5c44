"""The commands that schedule, print, follow, cancel and retry one job."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ostinato.cli.options import (
    After,
    AsJson,
    At,
    Watch,
    document_id,
    duration,
    instant,
    json_object,
    one_due_time,
    run_command,
)
from ostinato.cli.tables import (
    escape_line,
    print_job,
    print_job_change,
    print_jobs,
    print_log,
)

if TYPE_CHECKING:
    from ostinato.application import Ostinato
    from ostinato.client.options import ScheduleOptions

job_commands = typer.Typer()
QUIET_S: Final = 1.0  # lines are stored within half a second
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, here or in GraphQL.")]


@job_commands.command()
def schedule(  # noqa: PLR0913 (each is an option)
    function: Annotated[str, typer.Argument(help="The function's name, as `module.camelName`.")],
    args: Annotated[str, typer.Option("--args", help="The arguments, a JSON object.")] = "{}",
    after: After = None,
    at: At = None,
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
    given = json_object("--args", args)
    options: ScheduleOptions = {"owner": owner, "queue": queue, "priority": priority}
    options["tags"] = tag or ()
    if after is not None:
        options["run_after"] = duration(after)
    if at is not None:
        options["run_at"] = instant(at)
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
def job(job_id: JobId, as_json: AsJson = False, watch: Watch = False) -> None:
    """Print a job with its arguments, its result or error, and its timeline."""

    from ostinato.resolvers.live.messages import ChangeKind

    async def run(app: "Ostinato") -> None:
        found_id = document_id(job_id, "Job")
        if not watch:
            print_job(await app.get(found_id), as_json)
            return
        async with aclosing(app.job_changes(found_id)) as messages:
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
        found_id = document_id(job_id, "Job")
        if follow:
            await _follow_log(app, found_id, as_json)
        else:
            print_log((await app.logs(found_id)).items, as_json)

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
        print_jobs([await app.cancel(document_id(job_id, "Job"), cascade=cascade)], as_json)

    run_command(run)


@job_commands.command()
def reschedule(job_id: JobId, after: After = None, at: At = None, as_json: AsJson = False) -> None:
    """Change when a pending job is due."""
    run_at, run_after = one_due_time(after, at)

    async def run(app: "Ostinato") -> None:
        found_id = document_id(job_id, "Job")
        changed = await app.reschedule(found_id, run_at=run_at, run_after=run_after)
        print_jobs([changed], as_json)

    run_command(run)


@job_commands.command()
def retry(job_id: JobId, as_json: AsJson = False) -> None:
    """Run a failed or canceled job again."""

    async def run(app: "Ostinato") -> None:
        print_jobs([await app.retry(document_id(job_id, "Job"))], as_json)

    run_command(run)


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


def _unknown_note(function: str, known: Sequence[str]) -> str:
    from ostinato.jobs.nearest import nearest

    near = nearest(function, known)
    hint = f" Did you mean {near}?" if near else ""
    return (
        f"{function} is not in a module of OSTINATO_FUNCTIONS, so its arguments were not "
        f"validated: a worker that has it will run the job.{hint}"
    )
