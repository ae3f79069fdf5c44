"""The command line.

Commands import their dependencies lazily, so that each one starts fast.
"""

import asyncio
import gc
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ostinato.cli.alerts import alert_commands
from ostinato.cli.batches import batch_commands
from ostinato.cli.bulk import bulk_commands
from ostinato.cli.crons import cron_commands
from ostinato.cli.failures import failure_commands
from ostinato.cli.jobs import job_commands
from ostinato.cli.project import init
from ostinato.cli.requests import request_commands
from ostinato.cli.settings import (
    DEV_FOLDER,
    SERVERS_AND_KEYS,
    exit_with,
    read_settings,
    reporting_a_full_disk,
    require_functions,
    settings_of_dev,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ostinato.jobs.findings import Finding
    from ostinato.jobs.registry import BatchSource, Function
    from ostinato.jobs.settings import Settings

COMMAND: Final = (sys.executable, "-P", "-m", "ostinato")
"""Starts this command line in a child process. -P ignores modules of the current folder."""
GC_THRESHOLDS: Final = (50_000, 10, 10)
"""The defaults start with 700. A full collection takes up to 0.3 s with many sockets and a full
ring."""

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A GraphQL backend for scheduled work, with live status.",
)
cli.command()(init)
cli.add_typer(job_commands)
for name, commands in (
    ("jobs", bulk_commands),
    ("crons", cron_commands),
    ("requests", request_commands),
    ("batches", batch_commands),
    ("failures", failure_commands),
    ("alerts", alert_commands),
):
    cli.add_typer(commands, name=name)
Data = Annotated[Path, typer.Option("--data", help="Data folder of the embedded servers.")]
Reload = Annotated[
    bool,
    typer.Option("--reload", help="Restart the API and the worker when a Python file is edited."),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65_535,
        help="Port of the API and the pages; 0: a free one. Default: OSTINATO_PORT, or 8000.",
        show_default=False,
    ),
]
Command = Annotated[list[str], typer.Argument(help="The command and its arguments.")]
Subject = Annotated[str, typer.Option("--sub", help="User id, the token's subject.")]
Roles = Annotated[list[str] | None, typer.Option("--role", help="A role; can be repeated.")]
NumberOfProcesses = Annotated[
    int, typer.Option("--processes", min=1, max=256, help="Number of worker processes.")
]
Lifetime = Annotated[int, typer.Option("--ttl", min=1, help="Lifetime in seconds.")]
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]
"""Whether `ostinato dev` or `ostinato worker --processes` started the process: it has logged the
warnings about the settings."""


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, str(Path.cwd()))  # makes the user's modules importable, like `python -m`
    with reporting_a_full_disk():
        cli(prog_name="ostinato")


@cli.command()
def dev(data: Data = DEV_FOLDER, port: Port = None, reload: Reload = False) -> None:
    """Start MongoDB, Valkey, the API and a worker, and print a token. Ctrl-C stops them."""
    from pydantic import SecretStr

    from ostinato.jobs.embedded.development import DevServer
    from ostinato.jobs.embedded.process import EmbeddedError
    from ostinato.jobs.logs import configure_logs
    from ostinato.resolvers.auth import DEVELOPMENT_TOKEN_S, issue_token

    if reload and find_spec("watchfiles") is None:
        exit_with("--reload needs an extra: run pip install 'ostinato[dev-server]'")
    settings = read_settings()
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    require_functions(settings)
    configure_logs(settings)
    _log_warnings(settings)

    def sign(secret: str, sub: str, roles: tuple[str, ...]) -> str:
        signing = settings.model_copy(update={"jwt_secret": SecretStr(secret)})
        ttl_s = min(DEVELOPMENT_TOKEN_S, settings.jwt_max_lifetime_s)
        return issue_token(signing, sub, roles, ttl_s)

    run = DevServer(
        folder=data.resolve(), command=COMMAND, issue_token=sign, echo=_echo, reloads=reload
    )
    try:
        asyncio.run(run.run(settings))
    except EmbeddedError as error:
        exit_with(str(error))


@cli.command()
def api(supervised: Supervised = False) -> None:
    """Serve GraphQL over HTTP and WebSocket, GraphiQL and the pages, on OSTINATO_PORT (8000)."""
    raise_open_file_limit()
    settings = _checked_settings(supervised, _api_problems)
    from ostinato.schema.server.app import create_app
    from ostinato.schema.server.uvicorn_server import listen, serve

    try:
        app = create_app(settings)
    except ValueError as error:
        exit_with(str(error))
    try:
        listener = listen(settings)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        exit_with(f"Cannot listen on {where} ({error}): set OSTINATO_HOST or OSTINATO_PORT")
    tune_gc()
    if not serve(app, settings, listener):
        raise typer.Exit(1)


@cli.command()
def worker(processes: NumberOfProcesses = 1, supervised: Supervised = False) -> None:
    """Run jobs until SIGTERM or Ctrl-C."""
    settings = _checked_settings(supervised)
    if processes > 1:
        from ostinato.jobs.worker.worker_processes import run_workers

        command = (*COMMAND, "worker", "--supervised")
        if not asyncio.run(run_workers(command, processes, settings.drain_timeout_ms)):
            raise typer.Exit(1)
        return
    raise_open_file_limit()
    from ostinato.jobs.worker.main import run_until_done, run_worker

    tune_gc()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run_until_done(runner.get_loop(), run_worker(settings))


@cli.command(
    "exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
def execute(command: Command) -> None:
    """Run a command, such as your own server, with the settings of a running `ostinato dev`."""
    settings = settings_of_dev()
    if not settings.model_fields_set & SERVERS_AND_KEYS:
        exit_with("`ostinato dev` is not running in this folder: start it in another terminal")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        exit_with(f"Cannot run {command[0]!r:.200}: {error.strerror}")


@cli.command()
def functions() -> None:
    """List functions and batches: name, kind, access and description."""
    from ostinato.jobs.registry import registry

    require_functions(settings_of_dev())
    for function in registry:
        _print_row(function.name, function.kind, function, function.description)
    for name, source in sorted(registry.batches.items()):
        _print_row(name, "batch", source, source.handle.__doc__ or "")


@cli.command()
def token(sub: Subject, role: Roles = None, ttl: Lifetime = 3_600) -> None:
    """Sign a token for a user with OSTINATO_JWT_SECRET and print it.

    Without that setting, the secret of a running `ostinato dev` is used.
    """
    from ostinato.resolvers.auth import issue_token

    try:
        typer.echo(issue_token(settings_of_dev(), sub, tuple(role or ()), ttl))
    except ValueError as error:
        exit_with(str(error))


@cli.command()
def revoke(
    sub: Annotated[str | None, typer.Option("--sub", help="Revoke all tokens of a user.")] = None,
    jti: Annotated[str | None, typer.Option("--jti", help="Revoke one token.")] = None,
) -> None:
    """Revoke the tokens of a user that were issued until now, or one token by its `jti`."""
    from ostinato.jobs.errors import PreconditionFailed
    from ostinato.jobs.mongo.diagnostics import startup_problem
    from ostinato.jobs.mongo.revocations import revoke_once

    if bool(sub) == bool(jti):
        exit_with("name what to revoke: either --sub or --jti")
    settings = settings_of_dev()
    if problem := asyncio.run(startup_problem(settings.mongo_url, settings.database)):
        exit_with(problem)
    try:
        revoked = asyncio.run(revoke_once(settings, sub, jti))
    except PreconditionFailed as error:
        exit_with(str(error))
    typer.echo(f"Revoked {revoked.id}: API processes refuse it within 10 seconds")


@cli.command()
def doctor() -> None:
    """Check settings, functions, MongoDB and Redis, and print how to fix each problem.

    The exit code is 1 if something required is missing; advice for production does not change it.
    If no server and no key is set, those of a running `ostinato dev` are checked.
    """
    from ostinato.jobs.doctor import diagnose
    from ostinato.resolvers.jwt_keys import check_keys

    settings = settings_of_dev()
    findings = [check_keys(settings), *asyncio.run(diagnose(settings))]
    required = [finding for finding in findings if not finding.advised]
    _print_findings("Required", required, "problem")
    _print_findings("Advised", [finding for finding in findings if finding.advised], "warning")
    if not all(finding.ok for finding in required):
        raise typer.Exit(1)


def _print_findings(heading: str, findings: "Sequence[Finding]", level: str) -> None:
    from ostinato.jobs.logs import escape_text

    typer.echo(f"{heading}:")
    for finding in findings:
        shown = "ok" if finding.ok else level
        typer.echo(escape_text(f"{shown:7}  {finding.subject}: {finding.detail}"))
        if finding.fix:
            typer.echo(escape_text(f"         → {finding.fix}"))


def _echo(line: str) -> None:
    with suppress(OSError):  # the terminal may be closed: stopping must go on
        typer.echo(line)


def tune_gc() -> None:
    """Collect garbage less often, and exclude the existing objects from collection."""
    gc.set_threshold(*GC_THRESHOLDS)
    gc.collect()
    gc.freeze()


def raise_open_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit: each connection is an open file."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # macOS does not allow its unlimited hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _checked_settings(
    supervised: bool, find_problems: "Callable[[Settings], list[str]]" = lambda _: []
) -> "Settings":
    """Read the settings of a server process; exit with one line per problem.

    MongoDB, Redis and `find_problems` are checked.
    """
    from ostinato.jobs.arq_queue import connection
    from ostinato.jobs.logs import configure_logs
    from ostinato.jobs.mongo.diagnostics import startup_problem

    settings = read_settings()
    require_functions(settings)
    configure_logs(settings)
    if not supervised:
        _log_warnings(settings)
    servers = [
        asyncio.run(startup_problem(settings.mongo_url, settings.database, settings.app_database)),
        connection.url_problem(settings.redis_url),
    ]
    if problems := [*filter(None, servers), *find_problems(settings)]:
        exit_with("\n".join(problems))
    return settings


def _api_problems(settings: "Settings") -> list[str]:
    """Return what keeps the API from verifying tokens or signing cursors, and the fixes."""
    from ostinato.jobs.doctor import check_cursor_key
    from ostinato.resolvers.jwt_keys import check_keys

    findings = (check_keys(settings), check_cursor_key(settings))
    return [finding.fix for finding in findings if finding.fix]


def _log_warnings(settings: "Settings") -> None:
    """Log variables that are not settings, and modules without functions."""
    from ostinato.jobs.doctor import check_variables, find_empty_modules
    from ostinato.jobs.logs import get_log

    log = get_log(__name__)
    for finding in [*check_variables(os.environ), *find_empty_modules(settings)]:
        log.warning("setup.problem", detail=finding.detail, fix=finding.fix)


def _print_row(name: str, kind: str, entry: "Function | BatchSource", description: str) -> None:
    from ostinato.jobs.logs import escape_text

    access = "public" if entry.public else ",".join(sorted(entry.roles)) or "internal"
    summary = description.strip().partition("\n")[0]
    typer.echo(escape_text(f"{name:32} {kind:9} {access:10} {summary}"))
