"""An entry of the outbox: a job that an application schedules by inserting a document. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostinato.jobs.arguments import plain_arguments
from ostinato.jobs.context import MAX_HORIZON, JobOptions, ValidOptions, validate_options
from ostinato.jobs.declarations import shown
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.json_values import find_text_problem, format_instant
from ostinato.jobs.nearest import nearest
from ostinato.jobs.options import MAX_NAME_CHARS
from ostinato.jobs.records import JsonObject
from ostinato.jobs.rights import MAX_OWNER_CHARS

FIELDS: Final = (
    *("functionName", "owner", "args", "runAt", "key"),
    *("queue", "priority", "timeoutMs", "tags"),
)
OPTION_FIELDS: Final = {
    "queue": "queue",
    "priority": "priority",
    "timeoutMs": "timeout_ms",
    "tags": "tags",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A well-formed entry; whether its function takes the arguments is not checked yet."""

    function_name: str
    owner: str | None
    args: JsonObject
    scheduled_time: datetime
    key: str | None
    options: ValidOptions


def parse_entry(document: Mapping[str, object], now: datetime) -> OutboxEntry:
    """Validate a stored entry of any content; raises BadRequest with an issue for each mistake.

    A field that is null counts as missing, except the owner: null is the system.
    """
    fields = _Fields(document)
    fields.require_known()
    owner_id = fields.text("owner", MAX_OWNER_CHARS)
    if "owner" not in document:
        fields.reject("owner", "is missing: write the id of a user, or null for the system")
    name = fields.text("functionName", MAX_NAME_CHARS)
    if fields.get("functionName") is None:
        fields.reject("functionName", "is missing: write 'module.camelName'")
    key = fields.text("key", MAX_NAME_CHARS)
    due = fields.due_time(now)
    args = fields.args()
    options = fields.options()
    if fields.issues or name is None or options is None:
        message = "; ".join(issue.message for issue in fields.issues)
        raise BadRequest(message, fields.issues)
    return OutboxEntry(
        function_name=name,
        owner=owner_id,
        args=args,
        scheduled_time=due,
        key=key,
        options=options,
    )


class _Fields:
    """The fields of an entry; each method adds the mistakes that it finds to `issues`."""

    def __init__(self, document: Mapping[str, object]) -> None:
        self._document = document
        self.issues: list[Issue] = []

    def reject(self, name: str, problem: str) -> None:
        self.issues.append(Issue(path=(name,), message=f"{name} {problem}", code="invalid"))

    def get(self, name: str) -> object:
        return self._document.get(name)

    def require_known(self) -> None:
        for name in self._document:
            if name != "_id" and name not in FIELDS:
                near = nearest(name[:MAX_NAME_CHARS], FIELDS)
                hint = f"did you mean {near}?" if near else f"use {', '.join(FIELDS)}"
                self.reject(name[:MAX_NAME_CHARS], f"is not a field of the outbox: {hint}")

    def text(self, name: str, max_chars: int) -> str | None:
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
            problem = f"must be a string of 1 to {max_chars} characters, got {shown(value)}"
            self.reject(name, problem)
        elif found := find_text_problem(value):
            self.reject(name, found.message)
        else:
            return str.__str__(value)
        return None

    def due_time(self, now: datetime) -> datetime:
        run_at = self.get("runAt")
        if run_at is None:
            return now
        if not isinstance(run_at, datetime):
            self.reject("runAt", f"must be a date from year 1 to 9999, got {shown(run_at)}")
        elif run_at - now > MAX_HORIZON:
            self.reject("runAt", f"is more than five years away: {format_instant(run_at)}")
        else:
            return run_at
        return now

    def args(self) -> JsonObject:
        args = self.get("args")
        if args is None:
            return {}
        if not isinstance(args, dict):
            self.reject("args", f"must be an object, got {shown(args)}")
            return {}
        try:
            return plain_arguments(args)
        except BadRequest as error:
            self.issues += error.issues
            return {}

    def options(self) -> ValidOptions | None:
        given = {
            option: value
            for name, option in OPTION_FIELDS.items()
            if (value := self.get(name)) is not None
        }
        options: JobOptions = given  # type: ignore[assignment] # checked here
        try:
            return validate_options(options)
        except BadRequest as error:
            self.issues += error.issues
            return None
