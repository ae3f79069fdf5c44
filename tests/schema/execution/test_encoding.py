"""Decoding of JSON: its limits, and that hostile values take little time."""

import gc
import json
import math
import time
from collections.abc import Callable

import pytest

from ostinato.schema.execution.encoding import MAX_DEPTH, InvalidJson, decode_json


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_nested_deeper_than_the_limit_is_rejected(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    decode_json(opening * (MAX_DEPTH - 1) + "[]" + closing * (MAX_DEPTH - 1))
    with pytest.raises(ValueError, match="nested deeper"):
        decode_json(opening * MAX_DEPTH + "[]" + closing * MAX_DEPTH)


def test_many_shallow_values_are_within_the_depth_limit() -> None:
    assert len(decode_json("[" + ",".join(["[]"] * 1_000) + "]")) == 1_000


@pytest.mark.parametrize(
    "text",
    ['"[", ' * 100, r'"\"[", ' * 100, r'"\\", {"[[": 1}, ' * 100],
    ids=["", "quote", "backslash"],
)
def test_brackets_in_strings_do_not_count_as_nesting(text: str) -> None:
    assert len(decode_json(f"[{text} 1]")) > 100


ONE_MEGABYTE = {
    "lists": "[],",
    "nested lists": "[[[[[[[[]]]]]]]],",
    "objects": '{"a":1},',
    "a number too large": "1,",
}


@pytest.mark.parametrize("name", ONE_MEGABYTE)
def test_decoding_takes_a_few_times_as_long_as_the_decoder(name: str) -> None:
    item = ONE_MEGABYTE[name]
    last = "1e999" if name == "a number too large" else "1"
    body = "[" + item * (1_000_000 // len(item)) + last + "]"
    assert _fastest(lambda: decode_json(body)) < 4.5 * _fastest(lambda: json.loads(body))


def _fastest(call: Callable[[], object]) -> float:
    """Return the least processor time of five calls, in seconds."""
    times: list[float] = []
    gc.disable()
    for _ in range(5):
        started = time.thread_time()
        call()
        times.append(time.thread_time() - started)
    gc.enable()
    return min(times)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 310, "9" * 5_000])
def test_a_number_too_large_for_a_double_is_left_to_validation(number: str) -> None:
    value = decode_json(f'{{"a":[{number}]}}')["a"][0]
    assert value == int(number) if len(number) == 310 else math.isinf(value)


@pytest.mark.parametrize("body", [b'[1e400,"\xff"]', r'[1e400,"\ud800"]', "[1e400,NaN]"])
def test_a_number_too_large_for_a_double_does_not_hide_other_errors(body: bytes | str) -> None:
    with pytest.raises(InvalidJson, match=r"not UTF-8: byte 0xff at offset 8|unpaired|not JSON"):
        decode_json(body)
