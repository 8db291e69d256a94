"""Frames on their way to a socket: the bytes that RFC 6455 asks for, in the order in which they were sent, and all before the close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from mooring.plugins.web.transport import Outgoing, SocketTransport, send_to_all, serialize


def address(server: Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_is_what_websockets_would_make_of_it(length: int) -> None:
    assert serialize(b"x" * length) == Frame(Opcode.TEXT, b"x" * length).serialize(mask=False)


@pytest.mark.parametrize("size", [3, 40_000])
async def test_what_was_sent_before_a_close_arrives_in_order_and_then_the_close(size: int) -> None:
    outgoing = Outgoing()

    async def greet(connection: ServerConnection) -> None:
        transport = SocketTransport(connection, 10**7, outgoing)
        for number in range(10):
            transport.send(f"{number} {'x' * size}".encode())
            send_to_all([transport], f"{number} to all".encode())
        transport.close(4000, "enough")
        transport.send(b"too late")
        await connection.wait_closed()

    async with serve(greet, "127.0.0.1", 0, compression=None) as server, connect(address(server), max_size=None) as client:
        found = [str(await client.recv())[:8] for _ in range(20)]
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
    assert found == [text[:8] for number in range(10) for text in (f"{number} {'x' * size}", f"{number} to all")]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4000


async def test_what_is_held_counts_as_waiting_until_it_is_written() -> None:
    outgoing = Outgoing()
    waiting = []

    async def greet(connection: ServerConnection) -> None:
        transport = SocketTransport(connection, 10**7, outgoing)
        transport.send(b"x" * 100)
        waiting.append(transport.waiting())
        outgoing.flush()
        waiting.append(transport.waiting())

    async with serve(greet, "127.0.0.1", 0, compression=None) as server, connect(address(server)) as client:
        assert await client.recv() == "x" * 100
    assert waiting == [102, 0]


class Recorder:
    """A socket's transport that keeps what is written, call by call."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_reply_and_its_acknowledgement_are_one_write_on_each_kind_of_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    recorder = Recorder()

    async def commit() -> None:
        loop = asyncio.get_running_loop()
        connection = cast(ServerConnection, SimpleNamespace(protocol=SimpleNamespace(state=State.OPEN), transport=recorder))
        transport = SocketTransport(connection, 10**7, Outgoing())
        answered = loop.create_future()
        answered.add_done_callback(lambda _: transport.send(b"acknowledged"))
        # As the channel does: the reply leaves, and in the same step whoever waits for the answer is woken.
        transport.send(b"reply")
        answered.set_result(None)
        while not recorder.writes:
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(commit())
    assert recorder.writes == [serialize(b"reply") + serialize(b"acknowledged")]


async def test_who_reads_slowly_is_dropped_before_what_is_too_much_is_written() -> None:
    """The buffer is looked at together with what is about to be written."""
    outgoing = Outgoing()
    written: list[int] = []
    waiting = 90_000

    def transport_of(most: int) -> SocketTransport:
        wire = SimpleNamespace(get_write_buffer_size=lambda: waiting, write=lambda data: written.append(len(data)))
        connection = SimpleNamespace(protocol=SimpleNamespace(state=State.OPEN), transport=wire)
        return SocketTransport(cast("ServerConnection", connection), most, outgoing)

    slow: list[str] = []
    for most, size in ((100_000, 5_000), (100_000, 20_000), (200_000, 20_000)):
        transport = transport_of(most)
        transport.on_slow = lambda: slow.append("dropped")
        transport.write(b"x" * size)
        transport.flush()
    assert (written, slow) == ([5_000, 20_000], ["dropped"])
    waiting = 0
    transport = transport_of(100_000)
    transport.write(b"x" * 300_000)
    assert written[-1] == 300_000, "who has taken everything so far gets one large piece whole"
    waiting = 300_000
    slow.clear()
    transport.on_slow = lambda: slow.append("dropped")
    for size, is_written in ((90_000, True), (110_000, False)):
        transport.write(b"x" * size)
        transport.flush()
        assert (written[-1] == size) is is_written, "and what comes after it has the room that there always is"
    assert slow == ["dropped"]
