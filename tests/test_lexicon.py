"""Checks that names and docstrings use the terms of the field, and no retired words."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.test_style import PYTHON, ROOT

RETIRED = {
    "batcher": "shared transactions",
    "batchers": "shared transactions",
    "beats": "heartbeats",
    "bell": "signal",
    "bookmark": "scan cursor",
    "bookmarks": "scan cursors",
    "completer": "outcome writer",
    "completers": "outcome writers",
    "company": "sharing class",
    "contestant": "system",
    "contestants": "systems",
    "crew": "process supervisor",
    "deaf": "unresponsive",
    "deposed": "lease lost",
    "doorbell": "notifier",
    "drawer": "partition",
    "farewell": "tombstone",
    "garbage": "malformed, or gc",
    "gate": "limit lane",
    "gates": "function limits",
    "glance": "peek",
    "hindered": "infrastructure error",
    "hurry": "poll",
    "hop": "intermediate tick",
    "hops": "intermediate ticks",
    "joint": "resume point",
    "leash": "parent death signal",
    "leg": "snapshot, or changes",
    "lookout": "head probe",
    "mend": "repair",
    "mended": "repaired",
    "mends": "repairs",
    "misfire": "due ticks",
    "misfires": "due ticks",
    "overtaken": "evicted",
    "patience": "backoff, or timeout",
    "reclaim": "rescue",
    "reclaimed": "rescued",
    "reclaims": "rescues",
    "revive": "manual retry",
    "revived": "retried",
    "rival": "conflict",
    "rivals": "conflicts",
    "seeker": "listener",
    "seekers": "listeners",
    "stray": "orphaned claim",
    "strays": "orphaned claims",
    "survey": "candidates",
    "tally": "operation metrics",
    "telling": "messages",
    "tellings": "live query",
    "tend": "supervise",
    "told": "received",
    "unacked": "unwritten",
    "wanted": "what it is: filter, call, count",
    "way": "session",
    "wording": "messages",
}
"""Words that names of earlier versions used, and the term in their place."""
LIMITS = re.compile(r"^(LONGEST|LEAST|USUAL|ENOUGH)(_|$)|^MOST$|_AT_MOST$|_AT_ONCE$")
"""Constants are called MAX_…, MIN_…, …_BATCH_SIZE, …_TIMEOUT_S."""
OPENERS = re.compile(r"^(Give|Tell|Say|Let|Hold|Keep|Show)s?\b")
RETIRED_IN_TESTS = RETIRED.keys() - {"gate", "wanted"} | {
    "deadly",
    "diary",
    "doors",
    "nursery",
    "unruly",
}
"""In tests, a gate blocks a function until the test opens it; `wanted` is an expected value."""
FOLDERS = {"ostinato", "schema", "resolvers", "jobs"}
TESTS = [path for path in PYTHON if path.relative_to(ROOT).parts[0] == "tests"]
PRODUCT = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in FOLDERS]


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return set(spaced.split("_"))


def _names(path: Path) -> Iterator[tuple[str, int]]:
    """Return each name that a module defines, and its line."""
    yield path.stem, 1
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.id if isinstance(node, ast.Name) else node.attr), node.lineno


def _found(is_wrong: Callable[[str], object], paths: Sequence[Path] = PRODUCT) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in paths
        for name, line in _names(path)
        if is_wrong(name)
    ]


def test_no_name_has_a_retired_word() -> None:
    assert _found(lambda name: _words(name) & RETIRED.keys()) == []


def test_no_name_of_a_test_has_a_retired_word() -> None:
    assert _found(lambda name: _words(name) & RETIRED_IN_TESTS, TESTS) == []


def test_limits_are_named_as_limits() -> None:
    assert _found(LIMITS.search) == []


def test_docstrings_start_with_a_plain_verb() -> None:
    opened = [
        f"{path.relative_to(ROOT)}:{node.lineno} {text.splitlines()[0]}"
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and (text := ast.get_docstring(node))
        and OPENERS.match(text)
    ]
    assert opened == []
