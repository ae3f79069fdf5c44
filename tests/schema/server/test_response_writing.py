"""What a response writes to its connection: the head and the start of the body at once."""

import asyncio

from ostinato.schema.server.response_writing import ResponseWriter

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"{}"


class RecordingTransport(asyncio.Transport):
    """Keeps what is written instead of sending it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.writes.append(b"closed")


async def next_turn() -> None:
    """Return after the callbacks that are scheduled now."""
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await turn


def opened() -> tuple[RecordingTransport, ResponseWriter]:
    transport = RecordingTransport()
    return transport, ResponseWriter(transport, asyncio.get_running_loop())


async def test_head_is_written_with_the_start_of_the_body() -> None:
    transport, writer = opened()
    for part in (HEAD, BODY, BODY):
        writer.write(part)
    await next_turn()
    assert transport.writes == [HEAD + BODY, BODY]


async def test_head_is_not_held_longer_than_a_turn_of_the_event_loop() -> None:
    transport, writer = opened()
    writer.write(HEAD)
    await next_turn()
    assert transport.writes == [HEAD]
    writer.write(BODY)
    assert transport.writes == [HEAD, BODY]


async def test_head_is_written_before_the_connection_closes() -> None:
    transport, writer = opened()
    writer.write(HEAD)
    writer.close()
    await next_turn()
    assert transport.writes == [HEAD, b"closed"]
