"""Makes MongoDB reject outcomes: by a validator on jobs, or by errors for one worker."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from pymongo.database import Database

from ostinato.jobs.mongo.sessions import worker_app_name

Db = Database[dict[str, Any]]

UNKNOWN_ERROR: Final = 8  # the error of a full disk
UNAUTHORIZED: Final = 13
OUT_OF_DISK_SPACE: Final = 14031
TEST_COMMANDS: Final = {"enableTestCommands": "1"}
"""The mongod parameter that allows fail points."""

NO_VALIDATOR: Final[dict[str, Any]] = {"collMod": "jobs", "validator": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    name: str
    states: tuple[str, ...] = ()
    """States that MongoDB rejects for client jobs whose id ends with one of `digits`."""
    digits: str = ""
    code: int | None = None
    """The error of every update of jobs by one worker, instead of a validator."""


REJECTIONS: Final = (
    Rejection(name="half of the successes", states=("success",), digits="0-7"),
    Rejection(name="some final states", states=("success", "failed"), digits="0-3"),
    Rejection(name="a full disk", code=UNKNOWN_ERROR),
    Rejection(name="revoked permissions", code=UNAUTHORIZED),
    Rejection(name="a nearly full disk", code=OUT_OF_DISK_SPACE),
)


def choose(random: Random) -> Rejection:
    return random.choice(REJECTIONS)


def start(db: Db, rejection: Rejection, pid: int) -> None:
    """Start a rejection; `pid` is the worker that gets the errors."""
    if rejection.code is None:
        db.command(validator(rejection))
        return
    worker = db["workers"].find_one({"pid": pid}, {"_id": 1})
    if worker is not None:  # the other fault of a mix may have killed it
        data = {
            "failCommands": ["update"],
            "namespace": f"{db.name}.jobs",
            "appName": worker_app_name(worker["_id"]),
            "errorCode": rejection.code,
        }
        _fail_commands(db, "alwaysOn", data)


def validator(rejection: Rejection) -> dict[str, Any]:
    """Return the command that makes MongoDB reject some states."""
    final = {"state": {"$in": list(rejection.states)}, "internal": False}
    rejected = {**final, "_id": {"$regex": f"[{rejection.digits}]$"}}
    return {"collMod": "jobs", "validator": {"$nor": [rejected]}}


def end(db: Db) -> None:
    """End all rejections."""
    db.command(NO_VALIDATOR)
    _fail_commands(db, "off", {})


def _fail_commands(db: Db, mode: str, data: dict[str, Any]) -> None:
    command = {"configureFailPoint": "failCommand", "mode": mode}
    db.client.admin.command({**command, **({"data": data} if data else {})})
