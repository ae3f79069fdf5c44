"""Reads the log of a client: the messages of each subscription, and its resulting view. Pure.

A subscription has a new session at its start and at each RESET.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from benchmarks.chaos.live import subscriptions
from benchmarks.chaos.live.log import LogEvent
from benchmarks.chaos.live.subscriptions import CHANGED, LEFT, SNAPSHOT_ROWS, SubscriptionSpec

ShownObject = Mapping[str, Any]
"""An object in a message."""


class Change(NamedTuple):
    """A message with a change."""

    kind: str
    seq: int | None
    """The number of the job's event; None for other records."""
    found: ShownObject | None


@dataclass(slots=True)
class Session:
    rows: dict[str, ShownObject] = field(default_factory=dict)
    """The snapshot."""
    ready_at: float | None = None
    """The time of the first READY."""
    received: defaultdict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    view: dict[str, ShownObject] = field(default_factory=dict)
    """The current view of the user."""
    has_started: bool = False


@dataclass(slots=True)
class SubscriptionHistory:
    """The history of one subscription."""

    name: str
    spec: SubscriptionSpec
    sessions: list[Session] = field(default_factory=lambda: [Session()])
    has_caught_up: bool = False
    """Whether it received all changes."""
    resumed: int = 0
    failures: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    """Messages that came at the wrong point."""
    messages: int = 0

    def has_whole_snapshot(self, session: Session) -> bool:
        """Return whether the snapshot contains all matching objects."""
        return (
            self.spec.snapshot
            and session.ready_at is not None
            and len(session.rows) < SNAPSHOT_ROWS
        )


@dataclass(slots=True)
class ClientHistory:
    """The history of one client."""

    subscriptions: list[SubscriptionHistory] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    """The API process of each connection."""
    disconnects: int = 0
    codes: list[int | None] = field(default_factory=list)
    """The close code of each connection; None if there was none."""


_FIRST_KINDS: Final = ("SNAPSHOT", "READY", "RESET")


def client_history(name: str, lines: Iterable[Mapping[str, Any]]) -> ClientHistory:
    """Read the log of one client."""
    found = ClientHistory()
    for line in lines:
        match line["event"]:
            case LogEvent.ADDED:
                subscription = SubscriptionHistory(
                    f"{name}/{line['sub']}", subscriptions.read(line["spec"])
                )
                found.subscriptions.append(subscription)
            case LogEvent.OPENED:
                found.opened.append(line["api"])
            case LogEvent.DISCONNECTED:
                found.disconnects += 1
            case LogEvent.CLOSED if line["was_open"]:
                found.codes.append(line["code"])
            case LogEvent.PAUSED | LogEvent.CLOSED:
                pass
            case _:
                _add_line(found.subscriptions[line["sub"]], line)
    return found


def _add_line(subscription: SubscriptionHistory, line: Mapping[str, Any]) -> None:
    match line["event"]:
        case LogEvent.SUBSCRIBED if line["after"] is None:
            _start_session(subscription)
        case LogEvent.SUBSCRIBED:
            subscription.resumed += 1
        case LogEvent.FAILED:
            subscription.failures.append(str(line["errors"]))
        case LogEvent.CAUGHT_UP:
            subscription.has_caught_up = True
        case LogEvent.RECEIVED:
            subscription.messages += 1
            message = line["message"]["payload"]["data"][subscription.spec.root]
            _add_message(subscription, line["at"], message)


def _start_session(subscription: SubscriptionHistory) -> Session:
    if subscription.sessions[-1].has_started:
        subscription.sessions.append(Session())
    return subscription.sessions[-1]


def _add_message(subscription: SubscriptionHistory, at: float, message: Mapping[str, Any]) -> None:
    kind, session = message["kind"], subscription.sessions[-1]
    if kind == "RESET" or (kind == "SNAPSHOT" and not subscription.spec.is_list):
        session = _start_session(subscription)
    session.has_started = True
    if kind not in _FIRST_KINDS and session.ready_at is None:
        subscription.misplaced.append(f"{kind} of {message.get('id')} before READY")
    if kind == "SNAPSHOT":
        _add_row(subscription, session, message["found"])
    elif kind == "READY" and session.ready_at is None:
        session.ready_at = at
    elif kind in (CHANGED, LEFT):
        _add_change(session, message)


def _add_row(subscription: SubscriptionHistory, session: Session, found: ShownObject) -> None:
    name = found["id"]
    if session.ready_at is not None:
        subscription.misplaced.append(f"SNAPSHOT of {name} after READY")
    if name in session.rows:
        subscription.misplaced.append(f"a second SNAPSHOT of {name}")
    session.rows[name] = session.view[name] = found


def _add_change(session: Session, message: Mapping[str, Any]) -> None:
    found, event = message["found"], message.get("event")
    name = message["id"] if found is None else found["id"]
    seq = None if event is None else event["seq"]
    session.received[name].append(Change(message["kind"], seq, found))
    if message["kind"] == LEFT:
        session.view.pop(name, None)
    elif found is not None and found["version"] > session.view.get(name, {"version": 0})["version"]:
        session.view[name] = found
