"""Completions that MongoDB refuses for a while: a rule on jobs, or errors for one worker alone."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from pymongo.database import Database

from ostinato.jobs.mongo.sessions import worker_app_name

Base = Database[dict[str, Any]]

UNKNOWN_ERROR: Final = 8  # what a full disk gives
UNAUTHORIZED: Final = 13
OUT_OF_DISK_SPACE: Final = 14031
TEST_COMMANDS: Final = {"enableTestCommands": "1"}
"""The parameter of a mongod that can be told to answer with errors."""

NO_RULE: Final[dict[str, Any]] = {"collMod": "jobs", "validator": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    name: str
    states: tuple[str, ...] = ()
    """A job of a client may not enter these, if its id ends in one of `digits`."""
    digits: str = ""
    code: int | None = None
    """The error of every update of jobs by one worker, in place of a rule."""


REFUSALS: Final = (
    Refusal(name="half of the successes", states=("success",), digits="0-7"),
    Refusal(name="some ends", states=("success", "failed"), digits="0-3"),
    Refusal(name="a full disk", code=UNKNOWN_ERROR),
    Refusal(name="rights that were taken away", code=UNAUTHORIZED),
    Refusal(name="a disk that is nearly full", code=OUT_OF_DISK_SPACE),
)


def some(random: Random) -> Refusal:
    return random.choice(REFUSALS)


def begin(base: Base, refusal: Refusal, pid: int) -> None:
    """Refuse what the refusal says; `pid` is the worker that meets the errors."""
    if refusal.code is None:
        base.command(rule(refusal))
        return
    worker = base["workers"].find_one({"pid": pid}, {"_id": 1})
    if worker is not None:  # the other fault of a mix may have killed it
        data = {
            "failCommands": ["update"],
            "namespace": f"{base.name}.jobs",
            "appName": worker_app_name(worker["_id"]),
            "errorCode": refusal.code,
        }
        _fail_commands(base, "alwaysOn", data)


def rule(refusal: Refusal) -> dict[str, Any]:
    """Build the command that makes MongoDB refuse some states."""
    ended = {"state": {"$in": list(refusal.states)}, "internal": False}
    refused = {**ended, "_id": {"$regex": f"[{refusal.digits}]$"}}
    return {"collMod": "jobs", "validator": {"$nor": [refused]}}


def end(base: Base) -> None:
    """Let everything be written again."""
    base.command(NO_RULE)
    _fail_commands(base, "off", {})


def _fail_commands(base: Base, mode: str, data: dict[str, Any]) -> None:
    command = {"configureFailPoint": "failCommand", "mode": mode}
    base.client.admin.command({**command, **({"data": data} if data else {})})
