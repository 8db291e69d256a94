"""The protocol as it is written down, and the clients that it shows."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from mooring.plugins.web.down_schema import down_frames
from mooring.plugins.web.protocol_page import DOCS, render
from tests.plugins.web.conftest import missing
from tests.plugins.web.harness import gateway


def test_the_page_is_current() -> None:
    assert (DOCS / "protocol.md").read_text() == render(), "run: python -m mooring.plugins.web.protocol_page docs/protocol.md"


async def test_frames_that_come_fit_what_is_written(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann, place.member("bob"):
        for line in ("hello", "/hit @bob 5", "/shelf", "/poster", "/brew 2", "/offer", "/sketch", "/hide", "/help", "/hit", "/tell quietly"):
            await ann.say(line)
        await ann.ask("ping")
        await ann.ask("character_page", {"channel_id": "tavern", "prefix": "b"})
        await ann.ask("nonsense")
        for frame in ann.frames:
            assert set(frame) <= {"type", "request_id", "body"}
            msgspec.convert(frame["body"], down_frames()[frame["type"]])
        assert {frame["type"] for frame in ann.frames} >= set(down_frames()) - {"channel_info", "channels"}


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_the_clients_that_are_shown_work(tmp_path: Path, language: str) -> None:
    node = shutil.which("node")
    if language == "javascript" and node is None:
        missing("node is not installed")
    name, command = (
        ("member.py", [sys.executable]) if language == "python" else ("member.mjs", [str(node), "--experimental-websocket", "--no-warnings"])
    )
    file = DOCS / "clients" / name
    assert len(file.read_text().splitlines()) <= 30
    quiet = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    async with gateway(tmp_path) as place, place.member("bob") as bob:
        arguments = [place.socket_address, "ann", "tavern", "/hit @bob 20"]
        process = await asyncio.create_subprocess_exec(
            *command, str(file), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=quiet
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        assert "service | ann hits bob: 20 damage. bob has 80 of 100 health." in out.decode()
        await bob.until("ann hits bob: 20 damage. bob has 80 of 100 health.")
        json.dumps(bob.frames)
