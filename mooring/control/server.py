"""The socket on which a running service takes commands from its owner."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from mooring.control.commands import CommandTable
from mooring.control.messages import MOST_BYTES, Response, decode_request, encode
from mooring.control.places import SocketPlace

log = logging.getLogger(__name__)

_FIRST_LINE_SECONDS = 10.0
"""Within so many seconds whoever connects has said what it wants."""

_AT_ONCE = 16
"""So many connections; what comes on top waits until one of them ends."""


@asynccontextmanager
async def listening(data_dir: Path, service_id: str, commands: CommandTable) -> AsyncIterator[Path | None]:
    """Take commands inside of the block, on a socket in the folder that this yields; None if there can be none, which the log tells.

    Only processes of the user who runs this service are heard. What was begun when the block ends is finished.
    """
    if not hasattr(socket, "AF_UNIX"):
        log.info("this system has no Unix sockets; commands for the running service are not taken")
        yield None
        return
    place = SocketPlace(data_dir, service_id, os.getpid())
    try:
        server = await _serve(place, commands)
    except OSError as error:
        log.warning("commands for the running service are not taken: %s cannot be used: %s", place.folder, error)
        yield None
        return
    try:
        yield place.folder
    finally:
        server.close()
        place.remove()


async def _serve(place: SocketPlace, commands: CommandTable) -> asyncio.Server:
    path = place.prepare()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    room = asyncio.Semaphore(_AT_ONCE)
    running: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with room:
            await _converse(reader, writer, commands)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve_one(reader, writer), name="control")
        running.add(task)
        task.add_done_callback(running.discard)

    try:
        listener.bind(os.fspath(path))  # in a folder that nobody else can enter, so that there is no moment without its mode
        path.chmod(0o600)
        server = await asyncio.start_unix_server(connected, sock=listener, limit=MOST_BYTES)
        place.publish(path)
        return server
    except BaseException:
        listener.close()
        place.remove()
        raise


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, commands: CommandTable) -> None:
    try:
        if not _is_from_owner(writer):
            log.warning("somebody else's process asked for a command, and was not heard")
            return
        writer.write(encode(await _answer(reader, commands)))
        await writer.drain()
    except (OSError, EOFError):
        log.debug("whoever asked for a command went away")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, commands: CommandTable) -> Response:
    try:
        line = await asyncio.wait_for(reader.readuntil(b"\n"), _FIRST_LINE_SECONDS)
        request = decode_request(line)
    except asyncio.LimitOverrunError:
        return Response(ok=False, failure="malformed", message=f"A request is one line of at most {MOST_BYTES} bytes.")
    except TimeoutError:
        return Response(ok=False, failure="malformed", message="No request came in time.")
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        return Response(ok=False, failure="malformed", message=f"This is no request: {error}")
    response = await commands.answer(request)
    try:
        msgspec.json.encode(response)
    except (TypeError, ValueError, OverflowError):
        log.exception("the result of %s cannot be sent", request.command)
        return Response(ok=False, failure="failed", message="The result cannot be shown; the log of the service tells more.")
    return response


def _is_from_owner(writer: asyncio.StreamWriter) -> bool:
    """Whether the user of this process, or root, is behind a connection, as far as the system tells; the modes of folder and file say the same."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    peer = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in {0, os.geteuid()}
