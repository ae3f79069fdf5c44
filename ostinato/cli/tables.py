"""Records as rows of a table, or as JSON with the names of the GraphQL API."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from ostinato.jobs.alerts import Alert
    from ostinato.jobs.bulk_actions import BulkAction
    from ostinato.jobs.cron_preview import RunChanges
    from ostinato.jobs.failure_groups import FailureGroup
    from ostinato.jobs.job_logs import LogLine
    from ostinato.jobs.planned_ticks import PlannedTick
    from ostinato.jobs.records import Batch, Cron, Failure, Job, Request
    from ostinato.resolvers.live.messages import LiveMessage

MAX_CELL_CHARS: Final = 40


@dataclass(frozen=True, slots=True)
class Table:
    """How records of one kind are printed."""

    columns: tuple[str, ...]
    widths: tuple[int, ...]
    row: Callable[[Any], tuple[str, ...]]


def print_jobs(found: "Iterable[Job]", as_json: bool) -> None:
    print_rows(JOBS, found, as_json)


def print_crons(found: "Iterable[Cron]", as_json: bool) -> None:
    print_rows(CRONS, found, as_json)


def print_rows(table: Table, found: Iterable[Any], as_json: bool) -> None:
    if not as_json:
        typer.echo(_line(table.columns, table.widths))
    for record in found:
        typer.echo(_json(record) if as_json else _line(table.row(record), table.widths))


def print_job_change(message: "LiveMessage[Job]", as_json: bool) -> None:
    if message.record is not None:
        print_change(JOBS, message, as_json)


def print_cron_change(message: "LiveMessage[Cron]", as_json: bool) -> None:
    print_change(CRONS, message, as_json)


def print_change(table: Table, message: "LiveMessage[Any]", as_json: bool) -> None:
    """Print the record; for a deleted one, its id."""
    from ostinato.resolvers.live.messages import ChangeKind

    record = message.record
    if record is not None:
        typer.echo(_json(record) if as_json else _line(table.row(record), table.widths))
    elif message.kind is ChangeKind.LEFT:  # a change read after the deletion has no record, either
        deleted = {"id": message.id, "deleted": True}
        text = json.dumps(deleted) if as_json else f"{message.id} deleted"
        typer.echo(text)


def print_bulk_action(action: "BulkAction", as_json: bool) -> None:
    from ostinato.jobs.bulk_actions import BulkActionKind, BulkActionState

    if as_json:
        typer.echo(_json(action))
        return
    counts = ", ".join(f"{each.count:,} {each.outcome.name}" for each in action.outcomes)
    if not counts and action.state is BulkActionState.DONE:
        is_of_failures = action.kind in (
            BulkActionKind.RESOLVE_FAILURES,
            BulkActionKind.RETRY_FAILURES,
        )
        counts = "no failure matches" if is_of_failures else "no job matches"
    line = f"{action.id} {action.kind.name} {action.state.name}"
    typer.echo(f"{line}: {counts}" if counts else line)
    for error in action.errors:
        typer.echo(escape_line(f"{error.id} {error.outcome.name}: {error.message}"))


def print_planned(ticks: "Iterable[PlannedTick]", as_json: bool) -> None:
    for tick in ticks:
        if as_json:
            typer.echo(_json(tick))
            continue
        note = "" if tick.note is None else f"  {tick.note.name}"
        typer.echo(f"{_moment(tick.due)}  local {tick.local:%Y-%m-%d %H:%M:%S}{note}")


def print_run_changes(changes: "RunChanges", as_json: bool) -> None:
    if as_json:
        typer.echo(_json(changes))
        return
    lines = [(run.tick, f"- {_moment(run.tick)}") for run in changes.removed]
    lines += [(run.tick, f"+ {_moment(run.tick)}") for run in changes.added]
    lines += [
        (run.before.tick, f"> {_moment(run.before.tick)} moves to {_moment(run.after.tick)}")
        for run in changes.moved
    ]
    for _, line in sorted(lines):
        typer.echo(line)
    typer.echo(
        f"Until {_moment(changes.until)}: {changes.removed_count:,} removed, "
        f"{changes.added_count:,} added, {changes.moved_count:,} moved, "
        f"{changes.unchanged_count:,} unchanged"
    )


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


def _request_row(found: "Request") -> tuple[str, ...]:
    timeout = _moment(found.timeout_at)
    owner = found.owner or "(system)"
    return (found.id, found.state.name, timeout, found.answered_by or "", owner)


def _batch_row(found: "Batch") -> tuple[str, ...]:
    of = "" if found.total is None else f"/{found.total}"
    progress, owner = f"{found.processed}{of}", found.owner or "(system)"
    return (found.id, found.state.name, found.source, progress, str(found.failed), owner)


def _alert_row(found: "Alert") -> tuple[str, ...]:
    opened, owner = _moment(found.opened_at), found.owner or "(system)"
    return (found.id, found.state.name, found.kind.name, opened, owner, found.message)


def _failure_row(found: "Failure") -> tuple[str, ...]:
    owner = found.owner or "(system)"
    return (
        found.id,
        "OPEN" if found.resolved_at is None else "RESOLVED",
        found.function_name,
        _moment(found.at),
        owner,
        f"{found.error.name}: {found.error.message}",
    )


def _failure_group_row(found: "FailureGroup") -> tuple[str, ...]:
    return (
        found.fingerprint or "",
        f"{found.count:,}",
        found.function_name,
        _moment(found.last_seen_at),
        found.owner or "(system)",
        f"{found.error_name}: {found.message}",
    )


JOBS: Final = Table(
    ("ID", "STATE", "FUNCTION", "SCHEDULED", "ATTEMPT", "OWNER"), (24, 11, 32, 20, 7, 0), _job_row
)
CRONS: Final = Table(
    ("ID", "NAME", "SCHEDULE", "NEXT RUN", "FUNCTION", "OWNER"), (24, 24, 24, 20, 32, 0), _cron_row
)
REQUESTS: Final = Table(
    ("ID", "STATE", "TIMEOUT", "ANSWERED BY", "OWNER"), (24, 10, 20, 24, 0), _request_row
)
BATCHES: Final = Table(
    ("ID", "STATE", "SOURCE", "PROCESSED", "FAILED", "OWNER"), (24, 9, 24, 17, 8, 0), _batch_row
)
FAILURES: Final = Table(
    ("ID", "STATE", "FUNCTION", "FAILED", "OWNER", "ERROR"), (24, 8, 32, 20, 24, 0), _failure_row
)
FAILURE_GROUPS: Final = Table(
    ("FINGERPRINT", "FAILURES", "FUNCTION", "NEWEST", "OWNER", "ERROR"),
    (32, 8, 32, 20, 24, 0),
    _failure_group_row,
)
ALERTS: Final = Table(
    ("ID", "STATE", "KIND", "OPENED", "OWNER", "MESSAGE"), (24, 13, 18, 20, 24, 0), _alert_row
)


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

    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {to_camel_case(name): _plain(each) for name, each in value._asdict().items()}
    if is_dataclass(value):
        return {to_camel_case(one.name): _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value
