"""A record of the service's own that is none costs itself: it is set aside and told, and the channel works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring.channels.system_dicts import AGENTS, OF_THE_SERVICE
from mooring.testing import Bot, MakeBot
from storage import MoobiusStorage
from tests.service_for_tests import json_dicts, running

GOOD = {"name": "zoe", "role": "member", "joined": 1.0}
VALUES: dict[tuple[str, str], list[Any]] = {
    ("members", "m-x"): [5, None, [], {"joined": 1}, {**GOOD, "name": 5}, {**GOOD, "role": None}, {**GOOD, "joined": "x"}],
    ("handled", "a:b"): [5, [], [1.0], ["x", True, ""], {"at": 1}, [1.0, True, "", 4]],
    ("history", "last"): ["x", -1, 1.5, [], None],
    ("history", "7"): [5, {}, {"to": 5, "body": []}, {"to": None, "body": {"subtype": 5}}],
    ("rooms", "no room"): [{"when_unsure": "skip"}],
    ("rooms", "a/b"): [5, {"when_unsure": "perhaps"}],
    ("schedules", "k"): [5, {}, {"due": "soon", "plugin": "bars", "function": "x"}],
    ("settings", "closed"): ["x", -1, {}],
    ("settings", "plugins"): [5, [], {"bars": "on"}],
    ("ignored", "m-x"): [5, [5], {}, "m-y"],
    ("unfinished", "k"): [5, {"by": 5, "body": {}}, {"by": "x"}],
    **{(name, "k"): [5] for name in ("screen", "files", "outbox", "inbox", "presence", "read_marks", "settings", "cooldowns", "versions")},
}
WRONG = [(name, key, value) for (name, key), values in VALUES.items() for value in values]


@pytest.mark.parametrize(("name", "key", "value"), WRONG, ids=lambda each: repr(each)[:40])
async def test_it_costs_itself_and_no_channel(tmp_path: Path, name: str, key: str, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = tmp_path / "store"
    with MoobiusStorage("1", "tavern", json_dicts(store)) as storage:
        storage.system("members")["m-zoe"] = GOOD
        storage.system(name)[key] = value
    async with running(store, plugins=["bars"]) as driver:
        await driver.join("ann")
        assert (await driver.say("ann", "/hit @zoe 1")).ok
        assert driver.service.members("tavern").keys() == {"m-zoe", "ann"}
        assert driver.service.health()["ready"]
        assert not [record for record in caplog.records if record.exc_info]


async def test_it_is_kept_and_told_and_a_moderator_hears_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = tmp_path / "store"
    with MoobiusStorage("1", "tavern", json_dicts(store)) as storage:
        storage.system("members")["m-x"] = {"joined": 1}
    async with running(store, plugins=["bars"]) as driver:
        assert "service_1.channel_tavern._members, key 'm-x': this is no such record" in caplog.text
        await driver.join("ann", role="owner")
        assert any("_members m-x" in text for text in driver.recorder.texts("ann"))
    with MoobiusStorage("1", "tavern", json_dicts(store)) as storage:
        assert storage.system("set_aside").copy() == {"members/m-x": {"joined": 1}}
        assert "m-x" not in storage.system("members")


def test_nothing_that_the_service_writes_is_set_aside(make_bot: MakeBot) -> None:
    bot: Bot = make_bot("bars", "help")
    bot.say("ann", "/hit @bob 20")
    bot.restart()
    assert len(bot.storage.system("set_aside")) == 0
    assert len(bot.storage.system("members")) > 0


async def test_an_agent_that_is_none_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = tmp_path / "store"
    async with running(store, plugins=["bars"]) as driver:
        good = await driver.service.create_agent("wanda")
    with OF_THE_SERVICE.open("1", json_dicts(store)) as storage:
        for number, wrong in enumerate((5, {}, {"name": 5}, {"name": "x", "avatar": []})):
            AGENTS.of(storage)[f"agent-{number}"] = wrong
    async with running(store, plugins=["bars"]) as driver:
        assert driver.service.agent(good.character_id) is not None
        assert [driver.service.agent(f"agent-{number}") for number in range(4)] == [None] * 4
        assert caplog.text.count("cannot be read and is left out") == 4
