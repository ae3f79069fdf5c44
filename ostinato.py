"""The composition root: the command line, and the names that a user's own module imports.

It imports itself only what every command needs, so that each starts as soon as it can.
"""

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

if TYPE_CHECKING:
    from jobs.context import Context
    from jobs.decorators import action, cron, mutation
    from jobs.rate_limit import RateLimit
    from jobs.retry import Retry, RetryAfter
    from jobs.settings import Settings
    from jobs.sources import BatchPage, batch, request_handler

__all__ = [
    "BatchPage",
    "Context",
    "RateLimit",
    "Retry",
    "RetryAfter",
    "action",
    "batch",
    "cron",
    "main",
    "mutation",
    "request_handler",
]

HOMES: Final = {
    "jobs.context": ("Context",),
    "jobs.decorators": ("action", "cron", "mutation"),
    "jobs.rate_limit": ("RateLimit",),
    "jobs.retry": ("Retry", "RetryAfter"),
    "jobs.sources": ("BatchPage", "batch", "request_handler"),
}
"""Where the names that a user's module imports come from, once it does."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        for home, names in HOMES.items():
            if name in names:
                return getattr(importlib.import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


ROOT = Path(__file__).resolve().parent
DEVELOPMENT_TOKEN_S = 30 * 86_400  # a bookmark of GraphiQL keeps working for a month

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A GraphQL backend for scheduled work, with live status.",
)
Data = Annotated[Path, typer.Option("--data", help="Folder of the embedded servers' data.")]
Subject = Annotated[str, typer.Option("--sub", help="The user: who owns what it creates.")]
Roles = Annotated[list[str] | None, typer.Option("--role", help="A role; may be repeated.")]
NumberOfProcesses = Annotated[
    int, typer.Option("--processes", min=1, max=256, help="Workers to run, a process each.")
]
Lifetime = Annotated[int, typer.Option("--ttl", min=1, help="Lifetime in seconds.")]


def main() -> None:
    """Run the command line."""
    sys.path.append(str(Path.cwd()))  # last: a user's folder must not shadow our packages
    _require_own_packages()
    cli()


@cli.command()
def dev(data: Data = Path(".ostinato")) -> None:
    """Start MongoDB, Valkey, the API and a worker; print a token. Ctrl-C stops all."""
    from pydantic import SecretStr

    from jobs.embedded.development import Development
    from jobs.embedded.process import EmbeddedError
    from resolvers.auth import mint

    settings = _settings()
    _require_functions(settings)

    def sign(secret: str, sub: str, roles: tuple[str, ...]) -> str:
        signing = settings.model_copy(update={"jwt_secret": SecretStr(secret)})
        return mint(signing, sub, roles, DEVELOPMENT_TOKEN_S)

    command = (sys.executable, str(ROOT / "ostinato.py"))
    run = Development(folder=data.resolve(), command=command, mint=sign, say=typer.echo)
    try:
        asyncio.run(run.run(settings))
    except EmbeddedError as error:
        _refuse(str(error))


@cli.command()
def api() -> None:
    """Serve GraphQL over HTTP and WebSocket, GraphiQL and the page."""
    settings = _checked_settings()
    from jobs.garbage import spare_collector
    from schema.app import create_app
    from schema.server import listen, serve

    try:
        app = create_app(settings)
    except ValueError as error:
        _refuse(str(error))
    try:
        listener = listen(settings)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        _refuse(f"Cannot listen on {where} ({error}): set OSTINATO_HOST or OSTINATO_PORT")
    spare_collector()
    if not serve(app, settings, listener):
        raise typer.Exit(1)


@cli.command()
def worker(processes: NumberOfProcesses = 1) -> None:
    """Run jobs until SIGTERM or Ctrl-C."""
    settings = _checked_settings()
    if processes > 1:
        from jobs.worker.crew import Crew

        command = (sys.executable, str(ROOT / "ostinato.py"), "worker")
        if not asyncio.run(Crew(command, processes, settings.drain_timeout_ms).run()):
            raise typer.Exit(1)
        return
    from jobs.garbage import spare_collector
    from jobs.worker.main import run_until_done, run_worker

    spare_collector()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run_until_done(runner.get_loop(), run_worker(settings))


@cli.command()
def functions() -> None:
    """List the registered functions: name, kind, who may call it, and what it does."""
    from jobs.registry import registry

    _require_functions(_settings())
    for function in sorted(registry, key=lambda each: each.name):
        who = "public" if function.public else ",".join(sorted(function.roles)) or "internal"
        summary = function.description.partition("\n")[0]
        typer.echo(f"{function.name:32} {function.kind:9} {who:10} {summary}")


@cli.command()
def token(sub: Subject, role: Roles = None, ttl: Lifetime = 3_600) -> None:
    """Sign a token for a user with OSTINATO_JWT_SECRET and print it."""
    from resolvers.auth import mint

    try:
        typer.echo(mint(_settings(), sub, tuple(role or ()), ttl))
    except ValueError as error:
        _refuse(str(error))


@cli.command()
def doctor() -> None:
    """Look at settings, functions, MongoDB and Redis; say what is wrong and how to mend it."""
    from jobs.doctor import diagnose
    from resolvers.keys import inspect_keys

    settings = _settings()
    findings = [inspect_keys(settings), *asyncio.run(diagnose(settings))]
    for finding in findings:
        typer.echo(f"{'ok     ' if finding.ok else 'problem'}  {finding.subject}: {finding.detail}")
        if finding.fix:
            typer.echo(f"         → {finding.fix}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _settings() -> "Settings":
    """Read the settings; end with one line a mistake, not with a traceback."""
    from pydantic import ValidationError

    from jobs.settings import Settings
    from jobs.wording import wording

    try:
        return Settings()
    except ValidationError as error:
        lines = (f"OSTINATO_{_name(each['loc'])}: {wording(each)}" for each in error.errors())
        _refuse("\n".join(lines))


def _checked_settings() -> "Settings":
    """Read the settings of a process that needs MongoDB; refuse a server that cannot do it."""
    from jobs.logs import configure_logs
    from jobs.mongo.inspection import refusal
    from jobs.queue import connection

    settings = _settings()
    _require_functions(settings)
    configure_logs(settings)
    reason = connection.refusal(settings.redis_url)
    if reason := reason or asyncio.run(refusal(settings.mongo_url, settings.database)):
        _refuse(reason)
    return settings


def _require_own_packages() -> None:
    """Refuse an installed package that hides one of ours; PyPI has several."""
    from jobs.modules import OURS

    for name in OURS:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin != str(ROOT / name / "__init__.py"):
            found = spec.origin if spec else "nothing"
            _refuse(f"`import {name}` finds {found}: give Ostinato its own environment")


def _require_functions(settings: "Settings") -> None:
    """Refuse a user's module that cannot be imported; register the functions of the others."""
    from jobs.modules import import_problems

    if problems := import_problems(settings.functions):
        _refuse("\n".join(f"OSTINATO_FUNCTIONS: {problem}" for problem in problems))


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "*"


def _refuse(message: str) -> NoReturn:
    typer.secho(message, err=True, fg="red")
    raise typer.Exit(1)


if __name__ == "__main__":
    main()
