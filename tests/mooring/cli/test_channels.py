"""`mooring channel ...`, with a service that runs, one that was killed, and none."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.process_for_tests import ROOT, member, start, write_configs
from tests.shared.ports_for_tests import start_valkey


async def mooring(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code, and all that was said."""
    configs = ("--config", "service.json", "--db-config", "db_config.json")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "service.py"),
        *arguments,
        *configs,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def states(folder: Path) -> dict[str, str]:
    code, said = await mooring(folder, "channel", "list", "--json")
    assert code == 0, said
    return {line["id"]: line["state"] for line in json.loads(said)}


async def test_a_running_service_is_reached_and_after_a_kill_the_store_itself(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    assert (await mooring(tmp_path, "channel", "create", "club", "--name", "The Club"))[0] == 0
    async with member(process.address, "tavern", "club", name="ann") as ann:
        assert (await ann.say("/hit @ann 20", "club"))["body"]["ok"]
        assert await states(tmp_path) == {"tavern": "config", "club": "open"}
        code, said = await mooring(tmp_path, "channel", "create", "club")
        assert (code, said.strip()) == (1, "There is a channel club already.")
    process.kill()
    await process.wait()
    assert await states(tmp_path) == {"tavern": "config", "club": "open"}
    assert (await mooring(tmp_path, "channel", "delete", "club", "--yes"))[0] == 0
    assert (await mooring(tmp_path, "channel", "create", "club"))[0] == 0
    process = await start(tmp_path, *options)
    async with member(process.address, "club", name="bob") as bob:
        await bob.say("/hit @bob 1", "club")
        assert any("99 of 100" in text for text in bob.texts()), "nothing of the deleted channel is in the new one"
    code, said = await mooring(tmp_path, "channel", "prune", "club", "--yes")
    assert code == 0 and "keys of the deleted channel club" in said
    code, said = await mooring(tmp_path, "channel", "archive", "tavern")
    assert (code, "stands in the config" in said) == (1, True)
    assert (await process.end())[0] == 0


async def test_faults_of_the_config_and_of_the_line_have_their_exit_codes(tmp_path: Path) -> None:
    write_configs(tmp_path)
    code, said = await mooring(tmp_path, "channel", "create", "club", "--access", "opne")
    assert code == 1 and "access" in said
    (tmp_path / "service.json").write_text('{"chanels": []}')
    code, said = await mooring(tmp_path, "channel", "list")
    assert code == 2 and "did you mean channels" in said
    assert (await mooring(tmp_path, "channel", "create"))[0] == 2


@pytest.mark.redis
async def test_every_process_on_one_redis_has_what_was_made_through_one_or_none(tmp_path: Path) -> None:
    server = start_valkey()
    try:
        folders = [tmp_path / name for name in ("one", "two", "none")]
        dicts: list[dict[str, Any]] = [
            {"implementation": "redis", "name": name, "settings": {"port": int(server.port)}} for name in ("health_bars", "mana_bars")
        ]
        for folder in folders:
            folder.mkdir()
            options = write_configs(folder, db=dicts)
        services = [await start(folder, *options) for folder in folders[:2]]
        assert (await mooring(folders[0], "channel", "create", "club"))[0] == 0
        assert (await mooring(folders[2], "channel", "create", "attic"))[0] == 0
        for process in services:
            for channel in ("club", "attic"):
                await _joinable(process.address, channel)
        assert (await mooring(folders[1], "channel", "delete", "club", "--yes"))[0] == 0
        async with member(services[0].address, "attic", name="cleo") as cleo:
            for _ in range(200):
                answer = await cleo.ask("join", {"channel_id": "club"})
                if answer["type"] == "error" and answer["body"]["code"] == "unknown_channel":
                    break
                await asyncio.sleep(0.05)
            assert answer["body"].get("code") == "unknown_channel", answer
        for process in services:
            assert (await process.end())[0] == 0
    finally:
        server.terminate()


async def _joinable(address: str, channel: str) -> None:
    """Wait until the process has opened the channel that another one made."""
    for number in range(200):
        try:
            async with member(address, channel, name=f"m{number}{channel}"):
                return
        except AssertionError:
            await asyncio.sleep(0.05)
    raise AssertionError(f"{channel} did not come up")


async def test_a_second_service_that_cannot_start_is_not_found_in_the_place_of_the_first(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    second = await start(tmp_path, *options)
    assert (await second.end(0))[0] == 1
    code, said = await mooring(tmp_path, "channel", "create", "club")
    assert code == 0, said
    async with member(process.address, "club", name="ann"):
        assert (await process.end())[0] == 0
    assert not list((tmp_path / "data" / "control").iterdir())
