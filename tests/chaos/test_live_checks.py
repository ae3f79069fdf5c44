"""The checker of the live layer detects violations: each log here has exactly one."""

import pytest

from benchmarks.chaos.live import checks
from benchmarks.chaos.live.checker import CLOSED_PERMANENTLY
from benchmarks.chaos.live.subscriptions import SubscriptionSpec
from tests.chaos.live_logs import (
    ALL,
    ALL_CRONS,
    COALESCED,
    EARLY,
    PENDING,
    SINGLE_BATCH,
    SINGLE_JOB,
    WITHOUT_SNAPSHOT,
    Line,
    check_log,
    closed_line,
    failed_line,
    job_line,
    message_line,
    ready_line,
    record_line,
    subscribed_line,
)

RETRIED = [job_line(ALL, "CHANGED", "retried", seq) for seq in range(1, 6)]
DONE = [job_line(ALL, "CHANGED", "done", seq) for seq in range(1, 4)]
COMPLETE = [ready_line(ALL), *RETRIED, *DONE]
LATE = EARLY + 1_000
"""After the last change."""
ROWS = [job_line(ALL, "SNAPSHOT", "retried", 2), job_line(ALL, "SNAPSHOT", "done", 3)]
AFTER_SNAPSHOT = [*ROWS, ready_line(ALL, LATE), *RETRIED[2:]]
ENTERS_AND_LEAVES = [
    ready_line(PENDING),
    job_line(PENDING, "CHANGED", "retried", 1),
    job_line(PENDING, "LEFT", "retried", 2),
    job_line(PENDING, "CHANGED", "done", 1, state_seq=3),
    job_line(PENDING, "LEFT", "done", 2),
    job_line(PENDING, "CHANGED", "retried", 3),
    job_line(PENDING, "LEFT", "retried", 4),
]
CRON = [
    record_line(ALL_CRONS, "SNAPSHOT", "Cron", 1),
    ready_line(ALL_CRONS),
    *(record_line(ALL_CRONS, "CHANGED", "Cron", version) for version in (3, 3, 4)),
]
SINGLE = [
    job_line(SINGLE_JOB, "SNAPSHOT", "retried", 5),
    ready_line(SINGLE_JOB),
    *(job_line(SINGLE_JOB, "CHANGED", "retried", seq, state_seq=5) for seq in range(1, 6)),
]
BATCH = [
    record_line(SINGLE_BATCH, "SNAPSHOT", "Batch", 1),
    ready_line(SINGLE_BATCH),
    record_line(SINGLE_BATCH, "CHANGED", "Batch", 3),
]
RESET = [message_line(ALL, "RESET"), *AFTER_SNAPSHOT]

VALID_LOGS: dict[str, tuple[SubscriptionSpec, list[Line]]] = {
    "all changes from the beginning": (ALL, COMPLETE),
    "changes after a snapshot": (ALL, AFTER_SNAPSHOT),
    "resumption": (
        ALL,
        [*COMPLETE[:4], closed_line(None), subscribed_line("c"), ready_line(ALL), *COMPLETE[4:]],
    ),
    "reset with a new snapshot": (ALL, [*COMPLETE[:3], *RESET]),
    "interrupted snapshot": (ALL, [ROWS[0], subscribed_line("c"), *RESET]),
    "restart after a lost history": (ALL, [*COMPLETE[:3], subscribed_line(), *AFTER_SNAPSHOT]),
    "jobs entered and left the filter": (PENDING, ENTERS_AND_LEAVES),
    "no changes after READY": (WITHOUT_SNAPSHOT, [ready_line(WITHOUT_SNAPSHOT, LATE)]),
    "only the newest change when coalesced": (COALESCED, [ready_line(ALL), RETRIED[4], DONE[2]]),
    "single job from its first event": (SINGLE_JOB, SINGLE),
    "all writes of a cron": (ALL_CRONS, CRON),
    "batch": (SINGLE_BATCH, BATCH),
}
INVALID_LOGS: dict[str, tuple[SubscriptionSpec, list[Line], str]] = {
    "lost event": (ALL, [*COMPLETE[:3], *COMPLETE[4:]], checks.MISSING),
    "lost first event": (ALL, [COMPLETE[0], *COMPLETE[2:]], checks.MISSING),
    "lost last event": (ALL, COMPLETE[:-1], checks.MISSING),
    "lost job": (ALL, COMPLETE[:6], checks.MISSING),
    "lost event after a snapshot": (
        ALL,
        [*AFTER_SNAPSHOT[:3], *AFTER_SNAPSHOT[4:]],
        checks.MISSING,
    ),
    "lost event before a reset": (
        ALL,
        [COMPLETE[0], COMPLETE[1], COMPLETE[3], *RESET],
        checks.MISSING,
    ),
    "lost event in a resumption": (
        ALL,
        [*COMPLETE[:3], subscribed_line("c"), ready_line(ALL), *COMPLETE[4:]],
        checks.MISSING,
    ),
    "lost LEFT message": (PENDING, ENTERS_AND_LEAVES[:-1], checks.MISSING),
    "lost event after READY": (WITHOUT_SNAPSHOT, [ready_line(WITHOUT_SNAPSHOT)], checks.MISSING),
    "lost newest event when coalesced": (
        COALESCED,
        [ready_line(ALL), RETRIED[3], DONE[2]],
        checks.MISSING,
    ),
    "lost event of a single job": (SINGLE_JOB, [*SINGLE[:4], *SINGLE[5:]], checks.MISSING),
    "lost write of a cron": (ALL_CRONS, [*CRON[:2], *CRON[3:]], checks.MISSING),
    "duplicate event": (ALL, [*COMPLETE, COMPLETE[-1]], checks.DUPLICATE),
    "duplicate event after a resumption": (
        ALL,
        [*COMPLETE[:3], subscribed_line("c"), ready_line(ALL), *COMPLETE[2:]],
        checks.DUPLICATE,
    ),
    "duplicate event of a single job": (SINGLE_JOB, [*SINGLE, SINGLE[-1]], checks.DUPLICATE),
    "duplicate write of a cron": (ALL_CRONS, [*CRON, CRON[-1]], checks.DUPLICATE),
    "duplicate write of a batch": (SINGLE_BATCH, [*BATCH, BATCH[-1], BATCH[-1]], checks.DUPLICATE),
    "events out of order": (
        ALL,
        [COMPLETE[0], COMPLETE[2], COMPLETE[1], *COMPLETE[3:]],
        checks.OUT_OF_ORDER,
    ),
    "older version of a cron": (ALL_CRONS, [*CRON[:3], CRON[4], CRON[3]], checks.STALE),
    "event already in the snapshot": (
        ALL,
        [*ROWS, ready_line(ALL, LATE), *RETRIED[1:]],
        checks.UNEXPECTED,
    ),
    "event that does not match the filter": (
        PENDING,
        [*ENTERS_AND_LEAVES, DONE[2]],
        checks.UNEXPECTED,
    ),
    "CHANGED instead of LEFT": (
        PENDING,
        [*ENTERS_AND_LEAVES[:-1], job_line(PENDING, "CHANGED", "retried", 4)],
        checks.UNEXPECTED,
    ),
    "event of another owner's job": (
        SubscriptionSpec(root="jobsChanged", owner="ben"),
        [ready_line(ALL), DONE[0]],
        checks.UNEXPECTED,
    ),
    "job older than its event": (
        ALL,
        [
            message_line(ALL, "READY"),
            *COMPLETE[1:-1],
            job_line(ALL, "CHANGED", "done", 3, state_seq=2),
        ],
        checks.STALE,
    ),
    "job that has left is still shown": (PENDING, ENTERS_AND_LEAVES[:2], checks.WRONG_VIEW),
    "job shown in an earlier state": (
        ALL,
        [*ROWS, ready_line(ALL, LATE), *RETRIED[2:4]],
        checks.WRONG_VIEW,
    ),
    "missing cron": (ALL_CRONS, [ready_line(ALL_CRONS)], checks.WRONG_VIEW),
    "deleted cron is still shown": (
        SubscriptionSpec(root="cronsChanged", owner="ben", snapshot=True),
        CRON[:2],
        checks.WRONG_VIEW,
    ),
    "change before READY": (ALL, COMPLETE[1:], checks.MISPLACED),
    "row after READY": (ALL, [*COMPLETE, ROWS[0]], checks.MISPLACED),
    "duplicate row": (ALL, [ROWS[0], *AFTER_SNAPSHOT], checks.MISPLACED),
    "failed subscription": (ALL, [*COMPLETE, failed_line("INTERNAL_SERVER_ERROR")], checks.FAILED),
    "failure because of a lost history": (
        ALL,
        [*COMPLETE[:3], failed_line("HISTORY_LOST"), subscribed_line(), *AFTER_SNAPSHOT],
        checks.FAILED,
    ),
    "socket closed permanently": (ALL, [*COMPLETE, closed_line(4500)], CLOSED_PERMANENTLY),
}


@pytest.mark.parametrize("name", VALID_LOGS)
def test_complete_log_has_no_violation(name: str) -> None:
    spec, lines = VALID_LOGS[name]
    assert check_log(spec, lines) == {}


@pytest.mark.parametrize("name", INVALID_LOGS)
def test_log_checker_detects_each_violation(name: str) -> None:
    spec, lines, expected = INVALID_LOGS[name]
    assert expected in check_log(spec, lines)


def test_log_checker_detects_a_subscription_that_misses_the_end() -> None:
    assert list(check_log(ALL, COMPLETE, caught_up=False)) == [checks.NOT_CAUGHT_UP]


def test_every_log_check_detects_a_violation() -> None:
    names = {value for name, value in vars(checks).items() if name.isupper() and value != "LEFT"}
    shown = {expected for _, _, expected in INVALID_LOGS.values()}
    assert {name for name in names if " " in name} - shown == {checks.NOT_CAUGHT_UP}
