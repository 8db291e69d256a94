"""Configs that are changed while the service runs count without a restart, or nothing of them does."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService
from storage import ConfigError
from tests.mooring.cli.test_channels import mooring
from tests.process_for_tests import asked, member, start, write_configs
from tests.service_for_tests import Driver, Recorder, json_dicts


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[Driver]:
    write(tmp_path)
    service = ChannelService(service_config=tmp_path / "service.json", db_config=json_dicts(tmp_path / "store"))
    recorder = Recorder()
    service.attach(recorder)
    await service.start()
    yield Driver(service, recorder)
    await service.stop()


def write(folder: Path, **changed: Any) -> None:
    config = {"channels": ["tavern", "library"], "plugins": ["help", "bars"], **changed}
    (folder / "service.json").write_text(json.dumps(config))


async def test_channels_come_go_and_change(driver: Driver, tmp_path: Path) -> None:
    await driver.join("ann")
    await driver.say("ann", "hello")
    write(tmp_path, channels=[{"id": "tavern", "name": "The Tavern", "access": "token", "plugins": ["help"]}, "cellar"])
    outcome = await driver.service.reload_config()
    assert outcome.changed == ["channel library is gone", "channel tavern", "channel cellar is new"]
    assert (outcome.later, outcome.problems) == ([], [])
    assert list(driver.service.channel_ids()) == ["tavern", "cellar"]
    assert (driver.service.access("tavern"), list(driver.service.plugin_names("tavern"))) == ("token", ["help"])
    assert driver.recorder.last("channel_info").channel_name == "The Tavern"
    assert "ann" in driver.service.members("tavern"), "who is here stays here"
    await driver.join("bob", channel="cellar")
    write(tmp_path)
    await driver.service.reload_config()
    assert list(driver.service.channel_ids()) == ["tavern", "library"]
    assert str(await driver.service.reload_config()) == "nothing has changed"


async def test_limits_count_from_the_next_event_on(driver: Driver, tmp_path: Path) -> None:
    await driver.join("ann")
    for number in range(5):
        await driver.say("ann", f"line {number}")
    write(tmp_path, limits={"reply_bytes": 1000, "history_length": 3, "handler_seconds": 5})
    outcome = await driver.service.reload_config()
    assert (outcome.changed, outcome.later) == (["the limits"], ["limits: handler_seconds"])
    assert not (await driver.say("ann", "x" * 2000)).ok
    for number in range(5, 9):
        await driver.say("ann", f"line {number}")
    assert len(driver.service.history("tavern", "ann")) <= 4


async def test_a_plugin_has_its_new_settings(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "filter.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from pydantic import BaseModel\n"
        "from mooring import CommandError, Context, command\n"
        "class Config(BaseModel):\n"
        "    forbidden: str = 'rum'\n"
        "    breaks: bool = False\n"
        "@asynccontextmanager\n"
        "async def lifespan(service, config):\n"
        "    if config.breaks:\n"
        "        raise OSError('it does not start')\n"
        "    yield\n"
        '@command(example="/order tea")\n'
        "def order(ctx: Context, what: str) -> str:\n"
        '    """Order something."""\n'
        "    if what == ctx.config.forbidden:\n"
        "        raise CommandError('That is forbidden.')\n"
        "    return what\n"
    )
    mine = {"plugin_folders": [str(folder)]}
    write(tmp_path, plugins=["filter"], **mine)
    service = ChannelService(service_config=tmp_path / "service.json", db_config=json_dicts(tmp_path / "store"))
    await service.start()
    driver = Driver(service, Recorder())
    try:
        await driver.join("ann")
        assert (await driver.say("ann", "/order tea")).ok
        write(tmp_path, plugins=[{"name": "filter", "config": {"forbidden": "tea"}}], **mine)
        assert (await service.reload_config()).changed == ["plugin filter"]
        assert not (await driver.say("ann", "/order tea")).ok
        assert (await driver.say("ann", "/order rum")).ok
        write(tmp_path, plugins=[{"name": "filter", "config": {"breaks": True}}], **mine)
        outcome = await service.reload_config()
        assert outcome.problems[0].startswith("plugin filter goes on with its old settings: ")
        assert not (await driver.say("ann", "/order tea")).ok
        write(tmp_path, plugins=[{"name": "filter", "allow": "owner"}], **mine)
        await service.reload_config()
        assert "owner" in (await driver.say("ann", "/order rum")).message
    finally:
        await service.stop()


async def test_with_a_fault_nothing_changes(driver: Driver, tmp_path: Path) -> None:
    write(tmp_path, channels=["cellar"], limits={"replys": 3}, plugins=["help", {"name": "bars", "config": {"nonsense": 1}}])
    with pytest.raises(ConfigError, match="replys") as raised:
        await driver.service.reload_config()
    assert "nonsense" in str(raised.value)
    assert list(driver.service.channel_ids()) == ["tavern", "library"]
    (tmp_path / "service.json").write_text("{")
    with pytest.raises(ConfigError, match=r"service\.json"):
        await driver.service.reload_config()


async def test_what_counts_from_the_start_on_is_named(driver: Driver, tmp_path: Path) -> None:
    write(tmp_path, service_id="2", plugins=["help", "torbox"], channels=[{"id": "tavern", "rooms": ["matrix/!a:b"]}, "library"])
    for _ in range(2):
        outcome = await driver.service.reload_config()
        assert outcome.changed == []
    assert outcome.later == ["service_id", "plugin bars", "plugin torbox", "rooms of channel tavern"]
    assert (driver.service.service_id, driver.service.config["service_config"].get("service_id", "1")) == ("1", "1")
    assert list(driver.service.plugins.loaded) == ["help", "bars"]


async def test_what_plugins_asked_for_is_called_and_what_it_raises_is_told(driver: Driver) -> None:
    def fail() -> None:
        raise OSError("the file is gone")

    driver.service.on_reload("kettle", lambda: "the kettle")
    driver.service.on_reload("cups", fail)
    outcome = await driver.service.reload_config()
    assert (outcome.changed, outcome.problems) == (["the kettle"], ["cups: the file is gone"])


async def test_by_command_and_by_signal(tmp_path: Path) -> None:
    process = await start(tmp_path, *write_configs(tmp_path))
    async with member(process.address, "tavern", name="ann") as ann:
        write_configs(tmp_path, channels=["tavern", "library"])
        code, said = await mooring(tmp_path, "reload", "--log-level", "debug")
        assert (code, said.strip()) == (0, "Changed: the log, channel library is new.")
        assert (await asked(tmp_path, "reload", what="bars")).result["changed"] == ["plugin bars"]
        assert "Did you mean bars?" in (await asked(tmp_path, "reload", what="brs")).message
        write_configs(tmp_path, channels=["tavern", "library", "cellar"])
        process.process.send_signal(signal.SIGHUP)
        while "cellar" not in (await asked(tmp_path, "status")).result["channels"]:
            await asyncio.sleep(0.01)
        assert (await ann.say("/hit @ann 5"))["body"]["ok"]
        write_configs(tmp_path, plugins=["help", {"name": "bars", "config": {"nonsense": 1}}, "web"])
        process.process.send_signal(signal.SIGHUP)
        answer = await asked(tmp_path, "reload")
        assert (answer.failure, answer.message.startswith("Nothing was changed: ")) == ("refused", True)
    code, log = await process.end()
    assert (code, "the configs were not read again, and nothing was changed" in log) == (0, True)


async def test_a_terminal_that_goes_takes_the_service_with_it(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    process = await start(tmp_path, *write_configs(tmp_path), stdin=inside)
    os.close(inside)
    process.process.send_signal(signal.SIGHUP)  # by somebody else, while the terminal is there
    assert (await asked(tmp_path, "status")).ok
    os.close(terminal)
    code, log = await process.end(signal.SIGHUP)
    assert (code, "has stopped" in log) == (0, True)
