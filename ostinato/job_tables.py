"""Jobs and crons as rows of a table, or as JSON with the names of the GraphQL API."""

import json
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from ostinato.jobs.job_logs import LogLine
    from ostinato.jobs.records import Cron, Job
    from ostinato.resolvers.live.messages import LiveMessage

MAX_CELL_CHARS: Final = 40
JOB_COLUMNS: Final = ("ID", "STATE", "FUNCTION", "SCHEDULED", "ATTEMPT", "OWNER")
CRON_COLUMNS: Final = ("ID", "NAME", "SCHEDULE", "NEXT RUN", "FUNCTION", "OWNER")
JOB_WIDTHS: Final = (24, 11, 32, 20, 7, 0)
CRON_WIDTHS: Final = (24, 24, 24, 20, 32, 0)


def print_jobs(found: "Iterable[Job]", as_json: bool) -> None:
    _print_table(JOB_COLUMNS, JOB_WIDTHS, found, _job_row, as_json)


def print_crons(found: "Iterable[Cron]", as_json: bool) -> None:
    _print_table(CRON_COLUMNS, CRON_WIDTHS, found, _cron_row, as_json)


def _print_table(
    columns: tuple[str, ...],
    widths: tuple[int, ...],
    found: Iterable[Any],
    row: Callable[[Any], tuple[str, ...]],
    as_json: bool,
) -> None:
    if not as_json:
        typer.echo(_line(columns, widths))
    for record in found:
        typer.echo(_json(record) if as_json else _line(row(record), widths))


def print_job_change(message: "LiveMessage[Job]", as_json: bool) -> None:
    if message.record is not None:
        _print_change(message.record, _line(_job_row(message.record), JOB_WIDTHS), as_json)


def print_cron_change(message: "LiveMessage[Cron]", as_json: bool) -> None:
    if message.record is not None:
        _print_change(message.record, _line(_cron_row(message.record), CRON_WIDTHS), as_json)
    elif message.kind == "left":  # a change that is read after the deletion has no record, either
        deleted = {"id": message.id, "deleted": True}
        text = json.dumps(deleted) if as_json else f"{message.id} deleted"
        typer.echo(text)


def _print_change(record: object, line: str, as_json: bool) -> None:
    typer.echo(_json(record) if as_json else line)


def print_job(found: "Job", as_json: bool) -> None:
    if as_json:
        typer.echo(_json(found))
        return
    for name, value in _plain(found).items():
        if value is not None and name not in ("timeline", "error"):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            typer.echo(escape_line(f"{name:18} {text}"))
    for event in found.timeline:
        error = "" if event.error is None else f"  {event.error.name}: {event.error.message}"
        line = f"{_moment(event.at)}  attempt {event.attempt}  {event.state.name}{error}"
        typer.echo(escape_line(line))
    if found.error is not None and found.error.traceback:
        from ostinato.jobs.logs import LINE_BREAKS, escape_text

        typer.echo(escape_text(found.error.traceback.rstrip(), LINE_BREAKS))


def print_log(lines: "Iterable[LogLine]", as_json: bool) -> None:
    for line in lines:
        if as_json:
            typer.echo(_json(line))
            continue
        named = " ".join(
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in line.fields.items()
        )
        text = f"{_moment(line.at)}  attempt {line.attempt}  {line.level.name:8} {line.message}"
        typer.echo(escape_line(f"{text}  {named}".rstrip()))


def _job_row(found: "Job") -> tuple[str, ...]:
    return (
        found.id,
        found.state.name,
        found.function_name,
        _moment(found.scheduled_time),
        f"{found.attempt}/{found.max_attempts}",
        found.owner or "(system)",
    )


def _cron_row(found: "Cron") -> tuple[str, ...]:
    from ostinato.jobs.records import IntervalSchedule

    timing = found.schedule
    if isinstance(timing, IntervalSchedule):
        text = f"every {timing.ms / 1_000:g} s"
    else:
        text = timing.cronspec if timing.tz == "UTC" else f"{timing.cronspec} {timing.tz}"
    next_run = _moment(found.next_run_time) if found.enabled else "paused"
    owner = found.owner or "(system)"
    return (found.id, found.name, text, next_run, found.function_name, owner)


def _line(cells: Iterable[str], widths: tuple[int, ...]) -> str:
    shown = (
        f"{_shortened(cell):{width}}" if width else _shortened(cell)
        for cell, width in zip(cells, widths, strict=True)
    )
    return " ".join(shown).rstrip()


def _shortened(cell: str) -> str:
    text = escape_line(cell)
    return text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 1]}…"


def escape_line(text: str) -> str:
    from ostinato.jobs.logs import escape_text

    return escape_text(text)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(record: object) -> str:
    return json.dumps(_plain(record))


def _plain(value: Any) -> Any:
    """Return a record as JSON, with the names of the GraphQL API."""
    from ostinato.jobs.declarations import to_camel_case
    from ostinato.jobs.json_values import format_instant

    if is_dataclass(value):
        return {to_camel_case(one.name): _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
