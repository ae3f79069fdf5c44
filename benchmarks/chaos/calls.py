"""Sends requests as GraphQL calls, and classifies each response as ok, failed or unknown."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from benchmarks.chaos.operations import Answer, Kind, Outcome, Request
from ostinato.jobs.records import Json, JsonObject

TIMEOUT_S: Final = 20.0  # longer than the API's own
NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
AMBIGUOUS_CODES: Final = frozenset({"UNAVAILABLE", "TIMEOUT", "INTERNAL_SERVER_ERROR"})

_FIELDS: Final = {
    Kind.SCHEDULE: ("scheduleJob", "ScheduleJobInput!", "jobId"),
    Kind.CANCEL: ("cancelJob", "JobIdInput!", "jobId job { state }"),
    Kind.REGISTER_CRON: ("registerCron", "RegisterCronInput!", "cronId cron { nextRunTime }"),
    Kind.PAUSE_CRON: ("pauseCron", "CronIdInput!", "cronId"),
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
        fields.append(f"a{number}: {name}(input: $a{number}) {{ {selected} }}")
    query = f"mutation Load({', '.join(variables)}) {{ {' '.join(fields)} }}"
    inputs: JsonObject = {
        f"a{number}": _with_global_ids(request.input) for number, request in enumerate(requests)
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
    if kind is Kind.SCHEDULE:
        return {"scheduled": document_id(payload["jobId"])}
    if kind is Kind.CANCEL:
        return {"state": payload["job"]["state"]}
    if kind is Kind.REGISTER_CRON:
        cron_id = document_id(payload["cronId"])
        return {"registered": cron_id, "nextRunTime": payload["cron"]["nextRunTime"]}
    return {}


def _with_global_ids(input_: JsonObject) -> JsonObject:
    """Convert document ids to global ids."""
    return {name: _global_id(name, value) for name, value in input_.items()}


def _global_id(name: str, value: Json) -> Json:
    if name not in _IDS:
        return value
    return urlsafe_b64encode(f"{_IDS[name]}:{value}".encode()).decode().rstrip("=")


def document_id(text: str) -> str:
    padded = text + "=" * (-len(text) % 4)
    return urlsafe_b64decode(padded).decode().partition(":")[2]
