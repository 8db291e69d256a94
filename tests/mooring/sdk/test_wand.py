"""Bots as their authors start them: `python service.py`, with the page at once, and services in the background that take spells."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from mooring import MoobiusWand, NotSupported
from mooring.sdk.wand import _page, _with_present_names
from tests.mooring.sdk.bots_for_tests import CHANNEL, write_bot
from tests.process_for_tests import Process, launch, member
from tests.waiting_for_tests import eventually

COMMAND = (sys.executable, "service.py")


async def start(name: str, folder: Path, dicts: tuple[str, ...] = (), **service: Any) -> Process:
    write_bot(name, folder, dicts, **service)
    return await launch(folder, COMMAND)


async def test_a_bot_is_on_the_page_at_once(tmp_path: Path) -> None:
    bot = await start("buttons", tmp_path)
    assert bot.address.startswith("http://127.0.0.1:")
    async with member(bot.address, CHANNEL, name="Ann") as ann, member(bot.address, CHANNEL, name="Bob") as bob:
        for one in (ann, bob):
            await one.ask("refresh", {"channel_id": CHANNEL})
            shown = [frame["body"]["items"] for frame in one.frames if frame["type"] == "buttons"]
            assert [button["button_text"] for button in shown[-1]] == ["Count me", "Paint", "No dialog", "A dict"]
        click = {"channel_id": CHANNEL, "button_id": "paint", "arguments": [{"label": "Colour", "value": "red"}], "bottom_button_id": "ok"}
        assert (await ann.ask("button_click", click))["body"]["ok"]
        assert (await bob.say("hello", CHANNEL))["body"]["ok"]
        assert (await ann.say("so it is", CHANNEL))["body"]["ok"]
    assert ann.texts() == ["Ann joined", "Bob joined", "Colour=red by ok", "hello", "so it is"]
    assert (await bot.end())[0] == 0


async def test_the_log_config_is_honoured(tmp_path: Path) -> None:
    bot = await start("scheduler", tmp_path, ("reminders",))
    async with member(bot.address, CHANNEL, name="Ann") as ann:
        await ann.ask("refresh", {"channel_id": CHANNEL})
        await ann.ask("button_click", {"channel_id": CHANNEL, "button_id": "remind"})
        await eventually(lambda: "a click on remind" in (tmp_path / "logs" / "service.log").read_text())
    code, shown = await bot.end()
    assert code == 0
    everything = (tmp_path / "logs" / "service.log").read_text()
    assert "INFO __main__: a click on remind" in everything  # which the bot logs with loguru
    assert "log_retention does nothing here" in everything
    assert "a click" in shown
    assert "a click" not in (tmp_path / "logs" / "error.log").read_text()
    assert "hunter2" not in everything + shown
    assert "Traceback" not in everything


async def test_a_service_in_the_background_takes_spells(tmp_path: Path) -> None:
    write_bot("wand", tmp_path, ["spells"])
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        cwd=tmp_path,
        env={**os.environ, "MOORING_PORT": "0"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().removeprefix("Mooring is at ").strip()
    assert await process.stdout.readline() == b"up 1\n"
    [child] = psutil.Process(process.pid).children()

    async def spell(obj: Any) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(obj).encode() + b"\n" if obj != "stop" else b"stop\n")
        await process.stdin.drain()

    async with member(address, CHANNEL, name="Ann") as ann:
        for obj in (["a", 2], "fail", "async", ["x", 30_000], ["last", 1]):
            await spell(obj)
        journal = tmp_path / "json_db" / "journal" / "00000001.log"
        await eventually(lambda: "spell: last" in journal.read_text() and "ticked" in journal.read_text())
        await ann.say("enough", CHANNEL)
        assert ann.texts() == ["Ann joined", "spell: aa", "spell: async", "spell: " + "x" * 30_000, "spell: last", "enough"]
    await spell("stop")
    shown, log = await process.communicate()
    assert (process.returncode, shown) == (0, b"stopped\n")
    assert not child.is_running()
    assert b"on_spell failed" in log
    assert b"a spell that fails" in log
    assert b"StoreClosed" not in log
    kept = json.loads((tmp_path / "json_db" / "service_1" / f"channel_{CHANNEL}" / "spells.json").read_text())
    assert {key: kept[key] for key in ("a", "async", "x", "last", "ticked")} == {"a": 2, "async": 1, "x": 30_000, "last": 1, "ticked": True}


async def test_control_c_stops_all_and_lets_them_finish(tmp_path: Path) -> None:
    write_bot("wand", tmp_path, ["spells"])
    bot = await launch(tmp_path, COMMAND)
    [child] = psutil.Process(bot.process.pid).children()
    assert bot.process.stdout is not None
    await bot.process.stdout.readline()
    code, _ = await bot.end(signal.SIGINT)
    assert code == 1
    assert not child.is_running()
    assert not (tmp_path / "json_db" / "journal").exists()  # which a clean stop takes away


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"service_mode": False}, "a bot that acts as a member has no place here"),
        ({"chanels": []}, "did you mean channels?"),
        ({"plugins": ["nowhere"]}, "there is no plugin of this name"),
    ],
)
async def test_what_keeps_a_bot_from_starting_is_told(service: dict[str, Any], said: str, tmp_path: Path) -> None:
    bot = await start("buttons", tmp_path, **service)
    assert bot.line == ""
    code, log = await bot.end(0)
    assert code == 1
    assert "ButtonBot did not start: " in log
    assert said in log
    assert "Traceback" not in log


async def test_a_taken_port_is_told_and_ends_the_service_in_the_background(tmp_path: Path) -> None:
    taken = await start("buttons", tmp_path)
    port = taken.address.rstrip("/").rpartition(":")[2]
    (tmp_path / "second").mkdir()
    write_bot("wand", tmp_path / "second", ["spells"])
    bot = await launch(tmp_path / "second", COMMAND, MOORING_PORT=port)
    assert bot.line == "up 1\n"
    assert bot.process.stdin is None
    _, log = await bot.end(signal.SIGINT)
    assert "SpellBot<handle=1>: SpellBot did not start: " in log
    assert port in log
    await taken.end()


def test_an_unknown_handle_is_told(caplog: pytest.LogCaptureFixture) -> None:
    MoobiusWand().spell(3, "x")
    assert "there is no service with the handle 3; there are none" in caplog.text


def test_each_service_of_a_wand_has_a_port_and_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOORING_PORT", raising=False)
    assert [_page(before) for before in range(2)] == [{"port": 8765, "data_dir": "data/gateway"}, {"port": 8766, "data_dir": "data/gateway_2"}]
    for name, value in (("MOORING_PORT", "0"), ("MOORING_HOST", "localhost"), ("MOORING_DATA_DIR", "/d")):
        monkeypatch.setenv(name, value)
    assert _page(1) == {"port": 0, "host": "localhost", "data_dir": "/d_2"}


def test_arguments_that_the_wands_documentation_shows() -> None:
    shown = {"config_path": "config/service.json", "db_config_path": "config/db.json", "log_file": "logs/service.log", "is_agent": False}
    assert _with_present_names({**shown, "terminal_log_level": "INFO"}) == {
        "service_config": "config/service.json",
        "db_config": "config/db.json",
        "log_config": {"terminal_log_level": "INFO", "log_file": "logs/service.log"},
    }
    assert _with_present_names({"config": "c.json"}) == {"config": "c.json"}
    with pytest.raises(NotSupported, match="is_agent is not there"):
        _with_present_names({"is_agent": True})


async def test_frames_of_unknown_types_reach_the_hook_for_them(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(
        "import json\n"
        "from mooring import Moobius, MoobiusWand\n\n\n"
        "class Bot(Moobius):\n"
        "    async def on_unknown_payload(self, payload):\n"
        "        if payload['type'] == 'fail':\n"
        "            raise KeyError(payload)\n"
        f"        await self.send_message(json.dumps([payload['type'], payload['body']]), {CHANNEL!r}, None, [payload['user_id']])\n\n\n"
        f"MoobiusWand().run(Bot, service_config={{'channels': [{CHANNEL!r}]}})\n"
    )
    bot = await launch(tmp_path, COMMAND)
    async with member(bot.address, CHANNEL, name="Ann") as ann, member(bot.address, CHANNEL, name="Bob") as bob:
        assert (await ann.ask("fail", {}))["body"]["code"] == "unknown_type"
        assert (await ann.ask("dance", {"steps": [1, 2]}))["body"]["code"] == "unknown_type"
        while '["dance", {"steps": [1, 2]}]' not in ann.texts():
            await ann.say("are you done?", CHANNEL)
        await bob.say("done", CHANNEL)
        assert '["dance", {"steps": [1, 2]}]' in ann.texts()
        assert '["dance", {"steps": [1, 2]}]' not in bob.texts()
    code, log = await bot.end()
    assert code == 0
    assert "on_unknown_payload failed" in log
