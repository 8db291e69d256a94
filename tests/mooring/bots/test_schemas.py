"""Declared values become newer ones in one commit, with the old ones beside them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mooring import PluginError, Values
from mooring.testing import Bot, MakeBot

FIRST = '''
from mooring import Context, command

@command(example="/put 1")
async def put(ctx: Context, number: int) -> None:
    """Keep a number."""
    ctx.storage.kept[ctx.member.id] = {"n": number}
'''
SECOND = FIRST.replace(
    "from mooring import Context, command",
    """
from pydantic import BaseModel
from mooring import Context, Values, command

class Kept(BaseModel):
    number: int
    unit: str

VALUES = [Values("kept", Kept, version=3, steps={
    1: lambda old: {"number": old["n"]},
    2: lambda old: {**old, "unit": "apples"},
})]
""",
).replace('{"n": number}', '{"number": number, "unit": "pears"}')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keeper.py"


def filled(make: MakeBot, file: Path) -> Bot:
    file.write_text(FIRST)
    bot = make(str(file), dicts=["kept"])
    bot.say("ann", "/put 1")
    bot.say("bob", "/put 2")
    return bot


def renew(bot: Bot, file: Path, source: str) -> None:
    file.write_text(source)
    bot.restart()


def test_old_values_are_migrated_once_and_kept(make_bot_on_every_engine: MakeBot, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    bot = filled(make_bot_on_every_engine, file)
    with caplog.at_level(logging.WARNING):
        renew(bot, file, SECOND)
    assert dict(bot.storage.kept) == {"ann": {"number": 1, "unit": "apples"}, "bob": {"number": 2, "unit": "apples"}}
    assert dict(bot.storage.system("kept_before_version_2")) == {"ann": {"n": 1}, "bob": {"n": 2}}
    assert caplog.messages == [
        "2 values of room.kept are migrated from version 1 to 3",
        "the 2 old values of room.kept are kept in kept_before_version_2",
    ]
    caplog.clear()
    bot.say("ann", "/put 5")
    bot.restart()
    assert bot.storage.kept["ann"] == {"number": 5, "unit": "pears"}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (SECOND.replace('old["n"]', 'old["m"]'), r"room\.kept\['ann'\] cannot be migrated: KeyError: 'm'; nothing was changed"),
        (SECOND.replace('"apples"', "7"), r"room\.kept\['ann'\] does not become what is declared: .*; nothing was changed"),
    ],
)
def test_a_step_that_fails_changes_nothing(make_bot: MakeBot, file: Path, broken: str, reason: str) -> None:
    bot = filled(make_bot, file)
    with pytest.raises(PluginError, match=reason):
        renew(bot, file, broken)
    renew(bot, file, FIRST)
    assert dict(bot.storage.kept) == {"ann": {"n": 1}, "bob": {"n": 2}}


def test_newer_data_is_left_alone(make_bot: MakeBot, file: Path) -> None:
    bot = filled(make_bot, file)
    renew(bot, file, SECOND)
    older = SECOND.replace("version=3", "version=2")
    with pytest.raises(PluginError, match=r"room\.kept is of version 3, and the plugin knows only up to 2"):
        renew(bot, file, older)
    renew(bot, file, SECOND)
    assert bot.storage.kept["bob"] == {"number": 2, "unit": "apples"}


def test_a_plugin_with_new_versions_waits_for_a_restart(make_bot: MakeBot, file: Path) -> None:
    bot = filled(make_bot, file)
    bot.join("mo", role="moderator")
    file.write_text(SECOND)
    bot.say("mo", "/plugins reload keeper")
    bot.settle()
    assert bot.heard("mo")[-1].endswith("they are migrated when the service starts, so restart it")
    assert bot.storage.kept["ann"] == {"n": 1}


def test_a_value_that_is_not_what_is_declared_is_not_kept(make_bot: MakeBot, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(SECOND.replace('"number": number,', '"number": str(number),'))
    bot = make_bot(str(file), dicts=["kept"])
    with caplog.at_level(logging.ERROR):
        assert "Something went wrong here" in bot.say("ann", "/put 1")
    assert "room.kept['ann']['number'] is not what is declared: Input should be a valid integer" in caplog.text
    assert dict(bot.storage.kept) == {}


def test_every_older_version_needs_a_step() -> None:
    with pytest.raises(ValueError, match=r"missing are \[2\]"):
        Values("kept", dict, version=3, steps={1: lambda old: old})


def test_a_missing_dict_is_named_at_the_start(make_bot: MakeBot, file: Path) -> None:
    file.write_text(SECOND)
    with pytest.raises(PluginError, match=r"dict named kept, which the db config does not have"):
        make_bot(str(file), dicts=["other"])
