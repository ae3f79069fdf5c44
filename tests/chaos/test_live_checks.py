"""The checker of the live layer detects violations: each log here has exactly one."""

import pytest

from benchmarks.chaos.live import checks
from benchmarks.chaos.live.judge import GONE_FOR_GOOD
from benchmarks.chaos.live.wants import Want
from tests.chaos.live_logs import (
    ALL,
    COALESCED,
    EARLY,
    OF_BATCH,
    OF_CRONS,
    ONE,
    PENDING,
    UNSHOWN,
    Line,
    asked,
    closed,
    failed,
    job,
    judged,
    message_line,
    other,
    ready,
)

RETRIED = [job(ALL, "CHANGED", "retried", seq) for seq in range(1, 6)]
DONE = [job(ALL, "CHANGED", "done", seq) for seq in range(1, 4)]
WHOLE = [ready(ALL), *RETRIED, *DONE]
LATE = EARLY + 1_000
"""When all has happened."""
ROWS = [job(ALL, "SNAPSHOT", "retried", 2), job(ALL, "SNAPSHOT", "done", 3)]
SHOWN = [*ROWS, ready(ALL, LATE), *RETRIED[2:]]
COMES_AND_GOES = [
    ready(PENDING),
    job(PENDING, "CHANGED", "retried", 1),
    job(PENDING, "LEFT", "retried", 2),
    job(PENDING, "CHANGED", "done", 1, by=3),
    job(PENDING, "LEFT", "done", 2),
    job(PENDING, "CHANGED", "retried", 3),
    job(PENDING, "LEFT", "retried", 4),
]
CRON = [
    other(OF_CRONS, "SNAPSHOT", "Cron", 1),
    ready(OF_CRONS),
    *(other(OF_CRONS, "CHANGED", "Cron", version) for version in (3, 3, 4)),
]
ALONE = [
    job(ONE, "SNAPSHOT", "retried", 5),
    ready(ONE),
    *(job(ONE, "CHANGED", "retried", seq, by=5) for seq in range(1, 6)),
]
BATCH = [
    other(OF_BATCH, "SNAPSHOT", "Batch", 1),
    ready(OF_BATCH),
    other(OF_BATCH, "CHANGED", "Batch", 3),
]
FRESH = [message_line(ALL, "RESET"), *SHOWN]

GOOD: dict[str, tuple[Want, list[Line]]] = {
    "everything from the beginning": (ALL, WHOLE),
    "what came behind a snapshot": (ALL, SHOWN),
    "a resumption": (ALL, [*WHOLE[:4], closed(None), asked("c"), ready(ALL), *WHOLE[4:]]),
    "a reset with a new snapshot": (ALL, [*WHOLE[:3], *FRESH]),
    "a snapshot that was cut off": (ALL, [ROWS[0], asked("c"), *FRESH]),
    "a lost history": (ALL, [*WHOLE[:3], asked(), *SHOWN]),
    "what came and left": (PENDING, COMES_AND_GOES),
    "what followed READY": (UNSHOWN, [ready(UNSHOWN, LATE)]),
    "the newest only, of who asked for it": (COALESCED, [ready(ALL), RETRIED[4], DONE[2]]),
    "one job from its first event": (ONE, ALONE),
    "each write of a cron": (OF_CRONS, CRON),
    "a batch": (OF_BATCH, BATCH),
}
BAD: dict[str, tuple[Want, list[Line], str]] = {
    "an event was lost": (ALL, [*WHOLE[:3], *WHOLE[4:]], checks.MISSING),
    "the first was lost": (ALL, [WHOLE[0], *WHOLE[2:]], checks.MISSING),
    "the last was lost": (ALL, WHOLE[:-1], checks.MISSING),
    "a whole job was lost": (ALL, WHOLE[:6], checks.MISSING),
    "one was lost behind a snapshot": (ALL, [*SHOWN[:3], *SHOWN[4:]], checks.MISSING),
    "one was lost before a reset": (ALL, [WHOLE[0], WHOLE[1], WHOLE[3], *FRESH], checks.MISSING),
    "one was lost in a resumption": (
        ALL,
        [*WHOLE[:3], asked("c"), ready(ALL), *WHOLE[4:]],
        checks.MISSING,
    ),
    "a departure was lost": (PENDING, COMES_AND_GOES[:-1], checks.MISSING),
    "what followed READY was lost": (UNSHOWN, [ready(UNSHOWN)], checks.MISSING),
    "the newest was lost": (COALESCED, [ready(ALL), RETRIED[3], DONE[2]], checks.MISSING),
    "an event of one job was lost": (ONE, [*ALONE[:4], *ALONE[5:]], checks.MISSING),
    "a write of a cron was lost": (OF_CRONS, [*CRON[:2], *CRON[3:]], checks.MISSING),
    "an event came twice": (ALL, [*WHOLE, WHOLE[-1]], checks.DOUBLED),
    "a resumption told one again": (
        ALL,
        [*WHOLE[:3], asked("c"), ready(ALL), *WHOLE[2:]],
        checks.DOUBLED,
    ),
    "one of one job came twice": (ONE, [*ALONE, ALONE[-1]], checks.DOUBLED),
    "a write of a cron came twice": (OF_CRONS, [*CRON, CRON[-1]], checks.DOUBLED),
    "a write of a batch came twice": (OF_BATCH, [*BATCH, BATCH[-1], BATCH[-1]], checks.DOUBLED),
    "events changed places": (ALL, [WHOLE[0], WHOLE[2], WHOLE[1], *WHOLE[3:]], checks.DISORDERED),
    "a cron went back": (OF_CRONS, [*CRON[:3], CRON[4], CRON[3]], checks.STALE),
    "what the snapshot showed was told": (
        ALL,
        [*ROWS, ready(ALL, LATE), *RETRIED[1:]],
        checks.STRANGE,
    ),
    "another's filter was told": (PENDING, [*COMES_AND_GOES, DONE[2]], checks.STRANGE),
    "a departure was told as a change": (
        PENDING,
        [*COMES_AND_GOES[:-1], job(PENDING, "CHANGED", "retried", 4)],
        checks.STRANGE,
    ),
    "another owner's job was told": (
        Want(root="jobsChanged", owner="ben"),
        [ready(ALL), DONE[0]],
        checks.STRANGE,
    ),
    "a job was shown as it never was": (
        ALL,
        [message_line(ALL, "READY"), *WHOLE[1:-1], job(ALL, "CHANGED", "done", 3, by=2)],
        checks.STALE,
    ),
    "a job is shown that has left": (PENDING, COMES_AND_GOES[:2], checks.WRONG_VIEW),
    "a job is shown as it was": (
        ALL,
        [*ROWS, ready(ALL, LATE), *RETRIED[2:4]],
        checks.WRONG_VIEW,
    ),
    "a cron is not shown": (OF_CRONS, [ready(OF_CRONS)], checks.WRONG_VIEW),
    "a deleted cron is shown": (
        Want(root="cronsChanged", owner="ben", snapshot=True),
        CRON[:2],
        checks.WRONG_VIEW,
    ),
    "a change came before READY": (ALL, WHOLE[1:], checks.MISPLACED),
    "a row came after READY": (ALL, [*WHOLE, ROWS[0]], checks.MISPLACED),
    "a row came twice": (ALL, [ROWS[0], *SHOWN], checks.MISPLACED),
    "it failed": (ALL, [*WHOLE, failed("INTERNAL_SERVER_ERROR")], checks.FAILED),
    "its history was lost": (
        ALL,
        [*WHOLE[:3], failed("HISTORY_LOST"), asked(), *SHOWN],
        checks.FAILED,
    ),
    "its socket was closed": (ALL, [*WHOLE, closed(4500)], GONE_FOR_GOOD),
}


@pytest.mark.parametrize("name", GOOD)
def test_complete_log_has_no_violation(name: str) -> None:
    want, lines = GOOD[name]
    assert judged(want, lines) == {}


@pytest.mark.parametrize("name", BAD)
def test_log_checker_detects_each_violation(name: str) -> None:
    want, lines, expected = BAD[name]
    assert expected in judged(want, lines)


def test_log_checker_detects_a_subscription_that_misses_the_end() -> None:
    assert list(judged(ALL, WHOLE, arrived=False)) == [checks.STUCK]


def test_every_log_check_detects_a_violation() -> None:
    promises = {value for name, value in vars(checks).items() if name.isupper() and value != "LEFT"}
    shown = {expected for _, _, expected in BAD.values()}
    assert {each for each in promises if " " in each} - shown == {checks.STUCK}
