"""Checks the requests and batches of a run: no answer is lost, no item is processed twice."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos import dump, history
from benchmarks.chaos.live.final_state import encode_global_id

ANSWERS: Final = "answers.jsonl"
LOST_ANSWER: Final = "an acknowledged answer is lost or changed"
DOUBLED_ITEM: Final = "an item was not processed exactly once"
WRONG_COUNT: Final = "the batches of an owner have not counted the processed items"
UNFINISHED: Final = "a batch was left paused"

Answer = Mapping[str, Any]


def read(folder: Path) -> dict[str, list[str]]:
    """Read the files of a run, and return what each check found."""
    with (folder / history.DATABASE).open() as file:
        found = dump.read(file)
    path = folder / ANSWERS
    lines = path.read_text().splitlines() if path.exists() else []
    return violations(found, [json.loads(line) for line in lines])


def violations(found: dump.Dump, answers: Sequence[Answer]) -> dict[str, list[str]]:
    """Return what each check found; `answers` are those that the API has acknowledged."""
    checks = {
        LOST_ANSWER: _lost_answers(found, answers),
        DOUBLED_ITEM: _doubled_items(found),
        WRONG_COUNT: _wrong_counts(found),
        UNFINISHED: (each["_id"] for each in found["batches"] if each["state"] == "paused"),
    }
    return {name: flaws for name, each in checks.items() if (flaws := list(each))}


def _lost_answers(found: dump.Dump, answers: Sequence[Answer]) -> Iterator[str]:
    requests = {encode_global_id("Request", each["_id"]): each for each in found["requests"]}
    for answer in answers:
        request = requests.get(answer["requestId"], {})
        is_late = answer["state"] == "TIMEOUT"
        kept = request.get("lateAnswer" if is_late else "result")
        number = answer["lateAnswer"]["result"] if is_late else answer["result"]
        if (str(request.get("state")).upper(), kept) != (answer["state"], number):
            yield f"{answer}: {request}"


def _doubled_items(found: dump.Dump) -> Iterator[str]:
    for item in found["items"]:
        if item["version"] != 1 + item["processed"]:
            yield f"{item['_id']}: version {item['version']}"


def _wrong_counts(found: dump.Dump) -> Iterator[str]:
    processed = Counter(item["owner"] for item in found["items"] if item["processed"])
    counted = Counter[str]()
    for batch in found["batches"]:
        counted[batch["owner"]] += batch["processed"]
    for owner in sorted(processed.keys() | counted.keys()):
        if processed[owner] != counted[owner]:
            yield f"{owner}: {processed[owner]} processed, {counted[owner]} counted"
