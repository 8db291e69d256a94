"""The main job from end to end, as an operator and two members live it: real processes, sockets, files and servers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.torbox.torbox_server import KEY, TorBoxServer, make_items
from tests.process_for_tests import ROOT, Member, Process, member, start
from tests.shared.ports_for_tests import start_valkey

FILES = 300


@pytest.fixture
def torbox() -> Iterator[TorBoxServer]:
    with TorBoxServer() as server:
        server.items["torrents"] = make_items(FILES)
        yield server


@pytest.fixture(params=["json", "redis"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """The shipped configs; for redis the documented example, told where its server is."""
    shipped = ["--config", str(ROOT / "config/service.json"), "--db-config"]
    if request.param == "json":
        yield [*shipped, str(ROOT / "config/db_config.json")]
        return
    server = start_valkey()
    entries: list[dict[str, Any]] = json.loads((ROOT / "config/db_config.redis.json").read_text())
    for entry in entries:
        if entry["implementation"] == "redis":
            entry["settings"]["port"] = server.port
    (tmp_path / "db_config.redis.json").write_text(json.dumps(entries))
    yield [*shipped, "db_config.redis.json"]
    server.stop()


@asynccontextmanager
async def running(folder: Path, options: list[str], torbox: TorBoxServer) -> AsyncIterator[Process]:
    process = await start(folder, *options, TORBOX_API_URL=torbox.url, TORBOX_API_KEY=KEY)
    try:
        assert process.address, (await process.end())[1]
        yield process
    finally:
        if process.process.returncode is None:
            process.kill()
            await process.wait()


async def made_moderator(folder: Path, options: list[str], name: str) -> None:
    """What the operator says on the machine of the service."""
    line = [str(Path(sys.executable).with_name("mooring")), "member", "role", "library", name, "moderator", *options]
    said = await asyncio.create_subprocess_exec(*line, cwd=folder, stdout=asyncio.subprocess.DEVNULL)
    assert await said.wait() == 0


async def answer_to(one: Member, text: str, channel: str = "tavern") -> str:
    """Say it, and give the last line that came with the acknowledgement."""
    before = len(one.texts())
    answer = await one.say(text, channel)
    assert answer["body"]["ok"], answer
    return one.texts()[before:][-1]


async def eventually(one: Member, text: str) -> None:
    """Wait until a message that holds this text has come; the test's own time limit is the patience."""
    async with asyncio.timeout(60):
        while not any(text in line for line in one.texts()):
            await one.ask("refresh", {"channel_id": "tavern"})
            await asyncio.sleep(0.05)


async def state_of(one: Member) -> list[str]:
    stats = await one.say("/torbox stats", "library")
    assert stats["body"]["ok"]
    contexts = [frame["body"]["context"] or {} for frame in one.frames if frame["type"] == "message_down"]
    table = [context["table"] for context in contexts if "table" in context][-1]
    kinds = [row[:4] for row in table["rows"]]
    return [await answer_to(one, "/bars @ann"), await answer_to(one, "/bars @bob"), json.dumps(kinds)]


async def test_the_story(options: list[str], torbox: TorBoxServer, tmp_path: Path) -> None:
    async with running(tmp_path, options, torbox) as service:
        async with (
            member(service.address, "tavern", "library", name="ann") as ann,
            member(service.address, "tavern", "library", name="bob") as bob,
        ):
            tokens = {"ann": ann.token, "bob": bob.token}
            assert await answer_to(bob, "/hit @ann 20") == "bob hits ann: 20 damage. ann has 80 of 100 health."
            assert await answer_to(bob, "/heal @ann 5") == "bob heals ann: 5 health back. ann has 85 of 100 health."
            assert "bob has 75 of 100 health. ann has 70 of 100 mana left." in await answer_to(ann, "/cast fireball @bob")
            await eventually(ann, "bob heals ann")
            refused = await ann.say("/hit @an 20")
            assert not refused["body"]["ok"]
            assert "ann" in refused["body"]["message"]

            refused = await ann.say("/torbox sync torrents", "library")
            assert (refused["body"]["ok"], "moderator" in refused["body"]["message"]) == (False, True), refused
            await made_moderator(tmp_path, options, "ann")
            await ann.say("/torbox sync torrents", "library")
            await eventually(ann, f"+{FILES}")
            await ann.say("/torbox search number 17", "library")
            assert "number 17" in str(ann.frames[-1]).lower()
            before = await state_of(ann)
            assert before[:2] == ["ann has 85 of 100 health and 70 of 100 mana.", "bob has 75 of 100 health and 100 of 100 mana."]
            assert f'"{FILES}"' in before[2]
        service.kill()
        await service.wait()

    assert KEY not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())

    async with running(tmp_path, options, torbox) as again:
        async with member(again.address, "tavern", "library", token=tokens["ann"]) as ann:
            assert await state_of(ann) == before
        code, log = await again.end()
        assert code == 0, log
        assert "Traceback" not in log
        assert KEY not in log
