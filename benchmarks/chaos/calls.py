"""Sends requests as GraphQL calls, and classifies each response as ok, failed or unknown."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from benchmarks.chaos.operations import BULK, Answer, Kind, Outcome, Request
from ostinato.jobs.records import Json, JsonObject

TIMEOUT_S: Final = 20.0  # longer than the API's own
NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
AMBIGUOUS_CODES: Final = frozenset({"UNAVAILABLE", "TIMEOUT", "INTERNAL_SERVER_ERROR"})

_FIELDS: Final = {
    Kind.SCHEDULE: ("scheduleJob", "ScheduleJobInput!", "jobId"),
    Kind.CANCEL: ("cancelJob", "JobIdInput!", "jobId job { state }"),
    Kind.REGISTER_CRON: ("registerCron", "RegisterCronInput!", "cronId cron { nextRunTime }"),
    Kind.PAUSE_CRON: ("pauseCron", "CronIdInput!", "cronId"),
    Kind.SCHEDULE_MANY: ("scheduleJobs", "ScheduleJobsInput!", "jobIds"),
    Kind.RESCHEDULE: ("rescheduleJob", "RescheduleJobInput!", "jobId"),
    Kind.RETRY: ("retryJob", "JobIdInput!", "jobId"),
    Kind.CANCEL_JOBS: ("cancelJobs", "JobFilter!", "bulkActionId"),
    Kind.RETRY_JOBS: ("retryJobs", "JobFilter!", "bulkActionId"),
    Kind.RESCHEDULE_JOBS: ("rescheduleJobs", "JobFilter!", "bulkActionId"),
    Kind.RESOLVE_FAILURES: ("resolveFailures", "FailureFilter!", "bulkActionId"),
    Kind.RESUME_CRON: ("resumeCron", "CronIdInput!", "cronId"),
    Kind.UPDATE_CRON: ("updateCron", "UpdateCronInput!", "cronId"),
    Kind.SKIP_NEXT_RUN: ("skipNextRun", "CronIdInput!", "cronId"),
    Kind.TRIGGER_CRON: ("triggerCron", "TriggerCronInput!", "jobId"),
    Kind.BACKFILL_CRON: ("backfillCron", "BackfillCronInput!", "started"),
    Kind.APPLY_CRONS: ("applyCrons", "ApplyCronsInput!", "deletedIds"),
}
_IDS: Final = {"jobId": "Job", "cronId": "Cron"}


class Api:
    """The API, called with the token of one user."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, requests: Sequence[Request]) -> list[Answer]:
        """Send all requests in one document, and return an answer for each."""
        try:
            response = await self._client.post(
                "/graphql", json=_body(requests), headers=self._headers
            )
            found = response.json()
        except NEVER_SENT as error:
            return [_error(Outcome.FAILED, "", repr(error))] * len(requests)
        except (httpx.TransportError, ValueError) as error:
            return [_error(Outcome.UNKNOWN, "", repr(error))] * len(requests)
        return [_answer(request, found, f"a{n}") for n, request in enumerate(requests)]


def _body(requests: Sequence[Request]) -> JsonObject:
    variables, fields = [], []
    for number, request in enumerate(requests):
        name, type_, selected = _FIELDS[request.kind]
        variables.append(f"$a{number}: {type_}")
        arguments = f"{'filter' if request.kind in BULK else 'input'}: $a{number}"
        if request.kind is Kind.RESCHEDULE_JOBS:
            arguments += f", runAfterMs: {request.input['runAfterMs']}"
        fields.append(f"a{number}: {name}({arguments}) {{ {selected} }}")
    query = f"mutation Load({', '.join(variables)}) {{ {' '.join(fields)} }}"
    inputs: JsonObject = {
        f"a{number}": _variable(request) for number, request in enumerate(requests)
    }
    return {"query": query, "variables": inputs}


def _answer(request: Request, found: Any, name: str) -> Answer:
    data = found.get("data") or {}
    if data.get(name) is not None:
        return Answer(Outcome.OK, _value(request.kind, data[name]))
    errors = found.get("errors", [])
    matching = [error for error in errors if error.get("path", [name])[0] == name]
    if not matching:
        return _error(Outcome.UNKNOWN, "", f"neither data nor an error: {str(found)[:300]}")
    code = matching[0]["extensions"]["code"]
    outcome = Outcome.UNKNOWN if code in AMBIGUOUS_CODES else Outcome.FAILED
    return _error(outcome, code, matching[0]["message"])


def _error(outcome: Outcome, code: str, message: str) -> Answer:
    return Answer(outcome, {"code": code, "message": message})


def _value(kind: Kind, payload: Mapping[str, Any]) -> JsonObject:
    if kind in BULK:
        return {"bulkAction": document_id(payload["bulkActionId"])}
    return _VALUES[kind](payload) if kind in _VALUES else {}


_VALUES: Final[dict[Kind, Callable[[Mapping[str, Any]], JsonObject]]] = {
    Kind.SCHEDULE: lambda payload: {"scheduled": document_id(payload["jobId"])},
    Kind.SCHEDULE_MANY: lambda payload: {"allScheduled": [*map(document_id, payload["jobIds"])]},
    Kind.CANCEL: lambda payload: {"state": payload["job"]["state"]},
    Kind.REGISTER_CRON: lambda payload: {
        "registered": document_id(payload["cronId"]),
        "nextRunTime": payload["cron"]["nextRunTime"],
    },
    Kind.TRIGGER_CRON: lambda payload: {"triggered": document_id(payload["jobId"])},
    Kind.BACKFILL_CRON: lambda payload: {"started": payload["started"]},
}


def _variable(request: Request) -> JsonObject:
    """Return the input with global ids; of RESCHEDULE_JOBS only the filter."""
    is_filter = request.kind is Kind.RESCHEDULE_JOBS
    return {
        name: _global_id(name, value)
        for name, value in request.input.items()
        if not is_filter or name != "runAfterMs"
    }


def _global_id(name: str, value: Json) -> Json:
    if name not in _IDS:
        return value
    return urlsafe_b64encode(f"{_IDS[name]}:{value}".encode()).decode().rstrip("=")


def document_id(text: str) -> str:
    padded = text + "=" * (-len(text) % 4)
    return urlsafe_b64decode(padded).decode().partition(":")[2]
