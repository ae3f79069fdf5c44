"""Raw WebSocket frames: clients receive the same messages as through ASGI."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from ostinato.schema.fanout.frames import FrameBatch, text_frame
from ostinato.schema.transports.graphql_ws import next_prefix

SIZES = [1, 60, 84, 85, 86, 87, 124, 125, 126, 65_000, 65_494, 65_495, 65_536, 70_000]


def read(data: bytes) -> list[bytes]:
    """Read frames like a client; fail on protocol errors."""
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN)
    client.receive_data(data)
    assert client.parser_exc is None
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert {frame.opcode for frame in frames} <= {Opcode.TEXT}
    return [bytes(frame.data) for frame in frames]


@pytest.mark.parametrize("size", SIZES)
def test_text_of_any_size_is_one_frame(size: int) -> None:
    assert read(text_frame(b"x" * size)) == [b"x" * size]


@pytest.mark.parametrize("operation_id", ["1", "e3b0c442-98fc-4c14-9afb-f4c8996fb924", "é" * 40])
def test_batch_has_one_message_per_result_with_the_operation_id(operation_id: str) -> None:
    payloads = [b"p" * size for size in SIZES]
    prefix = next_prefix(operation_id)
    assert read(FrameBatch(payloads).with_prefix(prefix)) == [
        prefix + payload + b"}" for payload in payloads
    ]


def test_batch_can_be_sent_to_clients_with_different_ids() -> None:
    batch = FrameBatch([b"{}", b"[]"])
    for operation_id in ("a", "b", "long", "c"):
        prefix = next_prefix(operation_id)
        assert read(batch.with_prefix(prefix)) == [prefix + b"{}}", prefix + b"[]}"]
