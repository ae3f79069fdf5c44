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
    """Read frames as a client does; fails on what breaks the protocol."""
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
def test_batch_is_a_message_per_result_with_the_client_s_own_id(operation_id: str) -> None:
    payloads = [b"p" * size for size in SIZES]
    prefix = next_prefix(operation_id)
    assert read(FrameBatch(payloads).with_prefix(prefix)) == [
        prefix + each + b"}" for each in payloads
    ]


def test_clients_with_ids_of_one_length_and_of_others_each_get_their_own() -> None:
    batch = FrameBatch([b"{}", b"[]"])
    for operation_id in ("a", "b", "long", "c"):
        prefix = next_prefix(operation_id)
        assert read(batch.with_prefix(prefix)) == [prefix + b"{}}", prefix + b"[]}"]
