"""The socket on which a running service takes commands, without a service behind it."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mooring.control.client import ask
from mooring.control.commands import CommandTable, ControlCommand
from mooring.control.messages import MOST_BYTES
from mooring.control.places import sockets_of
from mooring.control.server import listening
from mooring.errors import CommandError


class Words(msgspec.Struct, forbid_unknown_fields=True):
    words: str


async def echo(target: list[str], asked: Words) -> Any:
    match asked.words:
        case "refuse":
            raise CommandError("That is refused.")
        case "fail":
            raise KeyError("a secret of the handler")
        case "unsendable":
            return object()
    target.append(asked.words)
    return asked.words


def table(target: list[str] | None = None) -> CommandTable:
    return CommandTable([] if target is None else target, [ControlCommand("echo", Words, echo)])


async def raw(path: Path, sent: bytes, *, close: bool = False) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(sent)
    if close:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


def place(root: Path, service_id: str = "1") -> Path:
    ((path, _),) = sockets_of(root, service_id)
    return path


HOSTILE = [
    b"\n",
    b"\x00" * 1000 + b"\n",
    b"\xff\xfe\n",
    b"[]\n",
    b'"echo"\n',
    b"[" * 100_000 + b"\n",
    b"{" + b'"a":{' * 10_000 + b"\n",
    b'{"command": 5}\n',
    b'{"command": "echo", "arguments": {"words": 5}}\n',
    b'{"command": "echo", "arguments": [' * 1 + b"[" * 5_000 + b"\n",
    b'{"command": "echo", "arguments": {"words": "x", "more": 1}}\n',
    b'{"command": "ehco", "arguments": {"words": "x"}}\n',
    b'{"command": "echo", "arguments": {"words": "\\ud800"}}\n',
    b"GET / HTTP/1.1\r\n\r\n",
    b"x" * (MOST_BYTES + 10) + b"\n",
]


async def test_hostile_bytes_get_an_answer_and_the_next_command_is_heard(tmp_path: Path) -> None:
    heard: list[str] = []
    async with listening(tmp_path, "1", table(heard)):
        for sent in HOSTILE:
            answer = msgspec.json.decode(await raw(place(tmp_path), sent))
            assert answer["ok"] is False and answer["message"], sent[:60]
        await raw(place(tmp_path), b'{"command": "ec', close=True)
        silent = [await asyncio.open_unix_connection(str(place(tmp_path))) for _ in range(10)]
        answer = await asyncio.to_thread(ask, tmp_path, "1", "echo", {"words": "hello"})
        assert answer is not None and answer.result == "hello"
        for _, writer in silent:
            writer.close()
    assert heard == ["hello"]


async def test_what_a_command_raises_is_told_but_not_what_it_says_inside(tmp_path: Path) -> None:
    async with listening(tmp_path, "1", table()):
        for words, failure, text in (("refuse", "refused", "That is refused."), ("fail", "failed", "reference"), ("unsendable", "failed", "log")):
            answer = await asyncio.to_thread(ask, tmp_path, "1", "echo", {"words": words})
            assert answer is not None and (answer.ok, answer.failure) == (False, failure)
            assert text in answer.message and "secret" not in answer.message
        unknown = await asyncio.to_thread(ask, tmp_path, "1", "ehco", {})
        assert unknown is not None and "Did you mean echo?" in unknown.message


async def test_the_socket_is_for_its_owner_alone_and_goes_with_the_service(tmp_path: Path) -> None:
    async with listening(tmp_path, "1", table()):
        path = place(tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not list(sockets_of(tmp_path, "1"))
    assert ask(tmp_path, "1", "echo", {"words": "x"}) is None


async def test_a_folder_with_a_long_name_names_a_short_one(tmp_path: Path) -> None:
    folder = tmp_path / ("long " * 30) / ("ä" * 3)
    async with listening(folder, "1", table()):
        path = place(folder)
        assert len(os.fsencode(path)) < 107 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        answer = await asyncio.to_thread(ask, folder, "1", "echo", {"words": "hello"})
        assert answer is not None and answer.result == "hello"
    assert not path.parent.exists(), "nothing is left of it"


async def test_services_of_one_folder_are_told_apart(tmp_path: Path) -> None:
    heard: dict[str, list[str]] = {"1": [], "../1": [], "": []}
    async with listening(tmp_path, "1", table(heard["1"])), listening(tmp_path, "../1", table(heard["../1"])):
        await asyncio.to_thread(ask, tmp_path, "../1", "echo", {"words": "x"})
        assert await asyncio.to_thread(ask, tmp_path, "", "echo", {"words": "x"}) is None
    assert heard == {"1": [], "../1": ["x"], "": []}


async def test_what_a_dead_process_left_is_passed_over_and_taken_away(tmp_path: Path) -> None:
    async with listening(tmp_path, "1", table()):
        alive = place(tmp_path)
        prefix = alive.name.partition(".")[0]
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(alive.with_name(f"{prefix}.0.sock")))
        dead.close()
        pointer = alive.with_name(f"{prefix}.1.path")
        pointer.write_text(str(tmp_path / "mooring-gone" / "control"))
        answer = await asyncio.to_thread(ask, tmp_path, "1", "echo", {"words": "hello"})
        assert answer is not None and answer.result == "hello"
        assert [path for path, _ in sockets_of(tmp_path, "1")] == [alive]


async def test_where_there_can_be_no_socket_the_service_goes_on_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").write_text("a file")
    async with listening(tmp_path / "data", "1", table()) as folder:
        assert folder is None
    assert "commands for the running service are not taken" in caplog.text
