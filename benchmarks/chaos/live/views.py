"""Goes through a client's log and says what each subscription was told, and what it shows. Pure.

A subscription has a new life whenever it begins anew: at its start, and at each RESET.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from benchmarks.chaos.live import wants
from benchmarks.chaos.live.log import What
from benchmarks.chaos.live.wants import CHANGED, LEFT, SNAPSHOT_ROWS, Want

Found = Mapping[str, Any]
"""An object as a message showed it."""


class Told(NamedTuple):
    """A message about a change."""

    kind: str
    seq: int | None
    """Of the job's event; None for what has none."""
    found: Found | None


@dataclass(slots=True)
class Life:
    rows: dict[str, Found] = field(default_factory=dict)
    """The snapshot."""
    ready_at: float | None = None
    """When the first READY came."""
    told: defaultdict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    view: dict[str, Found] = field(default_factory=dict)
    """What a user sees by now."""
    has_begun: bool = False


@dataclass(slots=True)
class Story:
    """All that became of one subscription."""

    name: str
    want: Want
    lives: list[Life] = field(default_factory=lambda: [Life()])
    has_arrived: bool = False
    """Whether it was told everything there was."""
    resumed: int = 0
    failures: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    """Messages where there must be none of the kind."""
    messages: int = 0

    def has_whole_snapshot(self, life: Life) -> bool:
        """Tell whether a life began with everything that matched."""
        return self.want.snapshot and life.ready_at is not None and len(life.rows) < SNAPSHOT_ROWS


@dataclass(slots=True)
class Diary:
    """What one client lived through."""

    stories: list[Story] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    """The API of each connection."""
    left: int = 0
    codes: list[int | None] = field(default_factory=list)
    """How each connection ended; None if without a word."""


_BEGINNINGS: Final = ("SNAPSHOT", "READY", "RESET")


def diary(name: str, lines: Iterable[Mapping[str, Any]]) -> Diary:
    """Read one client's log."""
    found = Diary()
    for line in lines:
        match line["what"]:
            case What.WANTS:
                story = Story(f"{name}/{line['sub']}", wants.read(line["want"]))
                found.stories.append(story)
            case What.OPENED:
                found.opened.append(line["api"])
            case What.LEFT:
                found.left += 1
            case What.CLOSED if line["was_open"]:
                found.codes.append(line["code"])
            case What.DOZED | What.CLOSED:
                pass
            case _:
                _note(found.stories[line["sub"]], line)
    return found


def _note(story: Story, line: Mapping[str, Any]) -> None:
    match line["what"]:
        case What.ASKED if line["after"] is None:
            _begin(story)
        case What.ASKED:
            story.resumed += 1
        case What.FAILED:
            story.failures.append(str(line["errors"]))
        case What.ARRIVED:
            story.has_arrived = True
        case What.TOLD:
            story.messages += 1
            message = line["message"]["payload"]["data"][story.want.root]
            _tell(story, line["at"], message)


def _begin(story: Story) -> Life:
    if story.lives[-1].has_begun:
        story.lives.append(Life())
    return story.lives[-1]


def _tell(story: Story, at: float, message: Mapping[str, Any]) -> None:
    kind, life = message["kind"], story.lives[-1]
    if kind == "RESET" or (kind == "SNAPSHOT" and not story.want.is_list):
        life = _begin(story)
    life.has_begun = True
    if kind not in _BEGINNINGS and life.ready_at is None:
        story.misplaced.append(f"{kind} of {message.get('id')} before READY")
    if kind == "SNAPSHOT":
        _show_row(story, life, message["found"])
    elif kind == "READY" and life.ready_at is None:
        life.ready_at = at
    elif kind in (CHANGED, LEFT):
        _show_change(life, message)


def _show_row(story: Story, life: Life, found: Found) -> None:
    name = found["id"]
    if life.ready_at is not None:
        story.misplaced.append(f"SNAPSHOT of {name} after READY")
    if name in life.rows:
        story.misplaced.append(f"a second SNAPSHOT of {name}")
    life.rows[name] = life.view[name] = found


def _show_change(life: Life, message: Mapping[str, Any]) -> None:
    found, event = message["found"], message.get("event")
    name = message["id"] if found is None else found["id"]
    seq = None if event is None else event["seq"]
    life.told[name].append(Told(message["kind"], seq, found))
    if message["kind"] == LEFT:
        life.view.pop(name, None)
    elif found is not None and found["version"] > life.view.get(name, {"version": 0})["version"]:
        life.view[name] = found
