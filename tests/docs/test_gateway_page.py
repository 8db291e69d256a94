"""The page about gateways is true: its example lets people in, with public names alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service_for_tests import Driver, running

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


class Caller:
    """Somebody with `telnet`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, line: str) -> None:
        self._writer.write(f"{line}\n".encode())

    async def hear(self) -> str:
        async with asyncio.timeout(10):
            return (await self._reader.readline()).decode().strip()

    async def hang_up(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Driver]:
    (tmp_path / "lines.py").write_text(EXAMPLE)
    lines = {"name": "lines", "config": {"channel": "tavern"}}
    async with running(tmp_path, plugins=["bars", lines], plugin_folders=[str(tmp_path)]) as driver:
        yield driver


async def call(service: Driver, name: str) -> Caller:
    port = int(service.service.addresses()[-1].rpartition(":")[2])
    caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
    caller.say(name)
    return caller


async def test_people_come_in_talk_use_commands_and_leave(service: Driver) -> None:
    ann = await call(service, "ann")
    assert await ann.hear() == "service: ann joined"
    bob = await call(service, "bob")
    assert await bob.hear() == "service: bob joined"
    assert await ann.hear() == "service: bob joined"
    bob.say("/hit @ann 20")
    assert await ann.hear() == "service: bob hits ann: 20 damage. ann has 80 of 100 health."
    assert await bob.hear() == "service: bob hits ann: 20 damage. ann has 80 of 100 health."
    bob.say("/hit @nobody 20")
    assert "nobody" in await bob.hear()
    ann.say("ouch")
    assert (await bob.hear(), await ann.hear()) == ("ann: ouch", "ann: ouch")
    await bob.hang_up()
    assert await ann.hear() == "service: bob left"
    await ann.hang_up()


async def test_names_are_admitted_as_on_the_page(service: Driver) -> None:
    ann = await call(service, "ann")
    await ann.hear()
    for name, why in (("Ann", "taken"), ("two words", "one word"), ("", "at least one letter")):
        stranger = await call(service, name)
        assert why in await stranger.hear()
        assert await stranger.hear() == "", "the line is closed"
        await stranger.hang_up()
    await ann.hang_up()
