"""Plugins come in whole or not at all, and are replaced between two events."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mooring.bots.loading import load_plugins
from mooring.config import PluginEntry
from mooring.testing import MakeBot
from storage import ConfigError

GREETER = '''
"""Greets."""
from pydantic import BaseModel
from mooring import Context, command

class Config(BaseModel):
    word: str = "Hello"

@command(example="/greet")
async def greet(ctx: Context) -> str:
    """Say hello."""
    return f"{ctx.config.word} {ctx.member}"
'''


def write(folder: Path, name: str, source: str) -> str:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(source)
    return str(file)


def entries(*names: str, required: bool = True) -> list[PluginEntry]:
    return [PluginEntry(name=name, required=required) for name in names]


def test_a_file_in_a_folder_is_a_plugin(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = make_bot(write(tmp_path, "greeter", GREETER), config={"greeter": {"word": "Ahoy"}})
    assert bot.say("ann", "/greet") == "Ahoy ann"
    assert "greeter: Greets." in bot.say("ann", "/plugins")


def test_a_package_in_a_folder_is_a_plugin(make_bot: MakeBot, tmp_path: Path) -> None:
    package = tmp_path / "polite"
    write(package, "words", 'HELLO = "Good day"')
    write(package, "__init__", GREETER.replace('"Hello"', "HELLO").replace("from pydantic", "from .words import HELLO\nfrom pydantic"))
    bot = make_bot("polite", folders=[tmp_path])
    assert bot.say("ann", "/greet") == "Good day ann"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name", "its code failed while it was imported: ModuleNotFoundError"),
        ("def f(:", "its code failed while it was imported: SyntaxError"),
        (GREETER + "\n@command('greet')\nasync def again(ctx: Context) -> None: ...", "/greet is a command of plugin broken already"),
        (GREETER + "\n@command\nasync def odd(ctx: Context, *, key: str) -> None: ...", "/odd: argument key: a line has no keywords"),
        ("async def on_join(ctx): ...", "on_join is called with (ctx, event), which it does not take"),
        ("BARS = ['health']", "BARS holds 'health', which is no BarSpec"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
    ],
)
def test_a_plugin_that_fails_leaves_nothing_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str, reason: str) -> None:
    write(tmp_path, "broken", source)
    with caplog.at_level(logging.WARNING):
        plugins = load_plugins(entries("help", "broken", required=False), [str(tmp_path)])
    assert list(plugins.loaded) == ["help"]
    assert reason in plugins.failed["broken"]
    assert plugins.table.find("/greet") is None
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert warnings[0].startswith("Plugin broken was left out: ")
    with pytest.raises(ConfigError, match="plugin broken"):
        load_plugins(entries("help", "broken"), [str(tmp_path)])


def test_an_unknown_plugin_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"plugin barz: there is no plugin of this name\. Did you mean bars\?"):
        load_plugins(entries("barz"))


@pytest.mark.parametrize("name", ["_loading", "../bars", "testing.py", "os", ""])
def test_names_reach_nothing_but_plugins(name: str) -> None:
    with pytest.raises(ConfigError):
        load_plugins([PluginEntry.model_construct(name=name, config={}, required=True)])


def test_faults_of_all_configs_come_at_once(tmp_path: Path) -> None:
    write(tmp_path, "greeter", GREETER)
    wrong = [
        PluginEntry(name="bars", config={"hitt": 3, "spells": {"zap": {"mana": -1}}}, required=False),
        PluginEntry(name="greeter", config={"word": 5}),
        PluginEntry(name="help", config={"x": 1}),
    ]
    with pytest.raises(ConfigError) as caught:
        load_plugins(wrong, [str(tmp_path)])
    text = str(caught.value)
    assert "plugin bars, hitt: unknown field; did you mean hit?" in text
    assert "plugin bars, spells.zap, mana" in text
    assert "plugin greeter, word" in text
    assert "plugin help, config: this plugin has no settings" in text


def test_new_code_takes_over_and_broken_code_does_not(make_bot: MakeBot, tmp_path: Path) -> None:
    file = write(tmp_path, "greeter", GREETER)
    bot = make_bot(file)
    bot.join("mo", role="moderator")
    assert bot.say("ann", "/plugins reload greeter") == "/plugins reload is for moderators of this channel."
    write(tmp_path, "greeter", GREETER.replace("{ctx.config.word} ", "{ctx.config.word}, dear "))
    bot.say("mo", "/plugins reload greeter")
    bot.settle()
    assert bot.heard("mo")[-1] == "Plugin greeter was loaded anew."
    assert bot.say("ann", "/greet") == "Hello, dear ann"
    for source in ("def f(:", GREETER.replace("def greet(", "def help(")):
        write(tmp_path, "greeter", source)
        bot.say("mo", "/plugins reload greeter")
        bot.settle()
        assert bot.heard("mo")[-1].startswith("Plugin greeter stays as it was: ")
        assert bot.say("ann", "/greet") == "Hello, dear ann"
    assert bot.say("mo", "/plugins reload greter") == "No plugin called greter is loaded. Did you mean greeter?"


def test_values_of_a_reloaded_plugin_are_of_its_new_classes(make_bot: MakeBot, tmp_path: Path) -> None:
    source = '''
from dataclasses import dataclass
from mooring import Context, command
from storage import register

@register(name="Purse")
@dataclass
class Purse:
    coins: int = 0

@command(example="/earn")
async def earn(ctx: Context) -> str:
    """Earn a coin."""
    purse = ctx.storage.purses.setdefault(ctx.member.id, Purse())
    assert isinstance(purse, Purse)
    purse.coins += 1
    return f"{purse.coins} coins"
'''
    bot = make_bot(write(tmp_path, "purses", source), dicts=["purses"])
    bot.join("mo", role="moderator")
    assert bot.say("ann", "/earn") == "1 coins"
    write(tmp_path, "purses", source.replace("coins += 1", "coins += 10"))
    bot.say("mo", "/plugins reload purses")
    bot.settle()
    assert bot.heard("mo")[-1] == "Plugin purses was loaded anew."
    assert bot.say("ann", "/earn") == "11 coins"


def test_hooks_see_what_happens(make_bot: MakeBot, tmp_path: Path) -> None:
    source = """
from mooring import Button, ButtonClick, Context, MessageBody, SimpleAction

def on_channel_init(ctx: Context) -> None:
    ctx.storage.log["lines"] = ["init"]
    ctx.buttons([Button("vote", "Vote")])

async def note(ctx, text):
    ctx.storage.log["lines"].append(text)

async def on_join(ctx: Context, action: SimpleAction) -> None:
    await note(ctx, f"join {ctx.member}")

async def on_leave(ctx: Context, action: SimpleAction) -> None:
    await note(ctx, f"leave {action.sender}")

async def on_message_up(ctx: Context, message: MessageBody) -> None:
    await note(ctx, message.content.text)

async def on_button_click(ctx: Context, click: ButtonClick) -> None:
    await note(ctx, f"{click.button_id} {click.arguments[0].value}")
"""
    bot = make_bot(write(tmp_path, "watcher", source), dicts=["log"], members=["ann"])
    bot.say("ann", "hello")
    bot.say("ann", "/help")
    bot.click("ann", "vote", choice="yes")
    bot.leave("ann")
    assert bot.storage.log["lines"] == ["init", "join ann", "hello", "vote yes", "leave ann"]


def test_an_entry_point_of_an_installed_distribution_is_a_plugin(make_bot: MakeBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    write(site, "some_greeter", GREETER)
    info = site / "some_greeter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-greeter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mooring.plugins]\ngreeter = some_greeter\n")
    monkeypatch.syspath_prepend(str(site))
    bot = make_bot("greeter")
    assert bot.say("ann", "/greet") == "Hello ann"
    bot.join("mo", role="moderator")
    write(site, "some_greeter", GREETER.replace('"Hello"', '"Good morning"'))
    bot.say("mo", "/plugins reload greeter")
    bot.settle()
    assert bot.say("ann", "/greet") == "Good morning ann"


def test_a_reload_stops_the_old_code_and_starts_the_new(make_bot: MakeBot, tmp_path: Path) -> None:
    source = """
from mooring import Service

async def on_start(service: Service, config: object) -> None:
    service.channels["room"].notes["life"] = [*service.channels["room"].notes.get("life", []), "start VERSION"]

def on_stop(service: Service, config: object) -> None:
    service.channels["room"].notes["life"] = [*service.channels["room"].notes["life"], "stop VERSION"]
"""
    file = write(tmp_path, "living", source.replace("VERSION", "1"))
    bot = make_bot(file, dicts=["notes"])
    bot.join("mo", role="moderator")
    write(tmp_path, "living", source.replace("VERSION", "2"))
    bot.say("mo", "/plugins reload living")
    bot.settle()
    assert bot.storage.notes["life"] == ["start 1", "stop 1", "start 2"]
    write(
        tmp_path,
        "living",
        source.replace("VERSION", "3").replace('    service.channels["room"].notes["life"] =', "    raise OSError('port taken')\n    x =", 1),
    )
    bot.say("mo", "/plugins reload living")
    bot.settle()
    assert bot.heard("mo")[-1] == "Plugin living stays as it was: its new code did not start: on_start failed: OSError: port taken"
    assert bot.storage.notes["life"] == ["start 1", "stop 1", "start 2", "stop 2", "start 2"]
