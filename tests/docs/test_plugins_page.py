"""The page about plugins is true: its examples run, and it leaves out no public name and no command."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mooring
from mooring import ChannelService
from mooring.bots.loading import load_plugins
from mooring.cli.main import build_app
from mooring.commands.parsing import parse
from mooring.commands.people import Channel
from mooring.config import PluginEntry
from mooring.testing import Bot, MakeBot

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
TEXT = PAGE.read_text("utf-8")
BUILT_IN = load_plugins([PluginEntry(name=name) for name in ("help", "bars")])


@dataclass
class Example:
    """A plugin of the page and the dialogue below it."""

    heading: str
    source: str
    chat: list[str] = field(default_factory=list)
    console: str = ""


def examples() -> list[Example]:
    found: list[Example] = []
    heading = ""
    for block in re.finditer(r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        title, language, content = block.groups()
        if title:
            heading = title
        elif language == "python":
            found.append(Example(heading, content))
        elif language == "chat":
            found[-1].chat = content.splitlines()
        elif language == "console":
            found[-1].console = content
    return found


FOR_GATEWAYS = {
    "Acknowledgement",
    "Admission",
    "AdmissionRefused",
    "Applicant",
    "CONTENT_LIMITS",
    "Cause",
    "DOWN_KINDS",
    "DownKind",
    "MESSAGE_DOWN",
    "UpType",
    "ChannelBusy",
    "ContentLimits",
    "Down",
    "EventCounter",
    "EventHistogram",
    "Gateway",
    "HistoryPage",
    "NameIndex",
    "NameRefused",
    "Reading",
    "Readings",
    "Role",
    "OutcomeNotKnown",
    "ServiceDicts",
    "ServiceError",
    "ServiceStopping",
    "Throttle",
    "CHARACTER_KINDS",
    "CharacterChanges",
    "CharacterCount",
    "CharacterPage",
    "MemberChanges",
    "TokenBucket",
    "SystemDict",
    "UnknownChannel",
    "shared_entry",
    "UpBody",
    "UpEvent",
    "clean_name",
    "missed_messages",
    "older_messages",
}
"""Public names that the page about gateways explains."""
FOR_NETWORKS = {
    *("Abilities", "Answer", "Later", "NetworkGateway", "Post", "Refused", "Room", "Sent", "Unsure", "network_member_id"),
    *("Arrival", "Arrivals", "Clicked", "Left", "Said"),
    *("Formatted", "LONGEST_MARKDOWN", "read_markdown"),
}
"""And those that the page about networks explains."""
FOR_SERVICES = {"ChannelService", "run_command_line"}
"""And those that the page about running it explains."""
OF_THE_SDK = {"DownloadFailed", "Moobius", "MoobiusStorage", "MoobiusWand", "NotSupported", "json_utils", "types"}
"""And those for bots of the SDK."""
FOR_PLUGINS = [name for name in mooring.__all__ if name not in FOR_GATEWAYS | FOR_NETWORKS | FOR_SERVICES | OF_THE_SDK]
PLAYED = [example for example in examples() if example.chat]
TYPED = [example for example in examples() if example.console]
TESTS = [example.source for example in examples() if "def test_" in example.source]


def dicts_in(source: str) -> list[str]:
    return sorted(set(re.findall(r"ctx\.storage\.(\w+)", source)))


def test_every_python_block_is_played_or_is_a_test() -> None:
    assert len(PLAYED) + len(TESTS) == len(examples())
    assert len(PLAYED) >= 12


@pytest.mark.parametrize("example", PLAYED, ids=[example.heading for example in PLAYED])
def test_the_dialogue_goes_as_the_page_says(make_bot: MakeBot, tmp_path: Path, example: Example) -> None:
    (tmp_path / "example.py").write_text(example.source)
    others = re.findall(r"^\(a moment later in (\w+)\)$", "\n".join(example.chat), re.MULTILINE)
    play(make_bot(str(tmp_path / "example.py"), dicts=dicts_in(example.source), channels=["room", *dict.fromkeys(others)]), example.chat)


@pytest.mark.parametrize("example", TYPED, ids=[example.heading for example in TYPED])
def test_what_is_typed_is_answered_as_the_page_says(tmp_path: Path, example: Example) -> None:
    (tmp_path / "example.py").write_text(example.source)
    dicts = [{"implementation": "json", "name": name, "settings": {"root_dir": str(tmp_path)}} for name in dicts_in(example.source)]
    (tmp_path / "service.json").write_text(json.dumps({"channels": ["room"], "plugins": ["example"], "plugin_folders": [str(tmp_path)]}))
    (tmp_path / "db_config.json").write_text(json.dumps(dicts))
    variables = {"MOORING_CONFIG": str(tmp_path / "service.json"), "MOORING_DB_CONFIG": str(tmp_path / "db_config.json")}
    for line, said in re.findall(r"^\$ mooring (.*)\n((?:(?!\$).*\n)*)", example.console, re.MULTILINE):
        assert CliRunner().invoke(build_app(ChannelService), shlex.split(line), env=variables).output == said


def play(bot: Bot, chat: list[str]) -> None:
    lines = iter([*chat, "(end)"])
    line = next(lines)
    while line != "(end)":
        said: list[str] = []
        if spoken := re.fullmatch(r"(\w+): (.*)", line):
            said = bot.say(*spoken.groups()).splitlines()
        elif clicked := re.fullmatch(r"\((\w+) clicks (\w+), (\w+): (.*)\)", line):
            name, button, label, value = clicked.groups()
            said = bot.click(name, button, **{label: value}).splitlines()
        elif picked := re.fullmatch(r"\((\w+) picks (\w+), on: (.*)\)", line):
            said = bot.pick(*picked.groups()).splitlines()
        elif line == "(restart)":
            bot.restart()
        elif elsewhere := re.fullmatch(r"\(a moment later in (\w+)\)", line):
            bot.settle()
            said = bot.heard("ann", elsewhere[1])
        else:
            before = len(bot.heard("ann"))
            bot.advance(match[1]) if (match := re.fullmatch(r"\((\w+) later\)", line)) else bot.settle()
            said = [f"> {text}" for text in bot.heard("ann")[before:]]
        expected = []
        while not re.fullmatch(r"(ann|bob|cleo): .*|\(.*\)", line := next(lines)):
            expected.append(line)
        assert said == expected


@pytest.mark.parametrize("number", range(len(TESTS)))
def test_the_tests_of_the_page_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    first = next(example for example in PLAYED if example.heading == "A first plugin")
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parents[1]))
    folder = pytester.mkdir("my_plugins")
    (folder / "greeter.py").write_text(first.source)
    body = TESTS[number].replace('pytest_plugins = ["mooring.testing"]', "")
    pytester.makepyfile(f'pytest_plugins = ["mooring.testing"]\n{body}'.replace("make_bot_on_every_engine", "make_bot"))
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    assert result.ret == 0, result.stdout.str()


def test_every_public_name_stands_on_the_page() -> None:
    missing = [name for name in FOR_PLUGINS if f"`{name}`" not in TEXT]
    assert missing == []


@pytest.mark.parametrize(
    ("page", "names"),
    [("gateway.md", FOR_GATEWAYS), ("gateways.md", FOR_NETWORKS), ("running.md", FOR_SERVICES), ("moobius.md", OF_THE_SDK)],
)
def test_the_names_for_others_stand_on_their_pages(page: str, names: set[str]) -> None:
    text = PAGE.with_name(page).read_text("utf-8")
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", FOR_PLUGINS)
def test_every_public_name_has_an_example_that_is_played(name: str) -> None:
    assert any(re.search(rf"\b{name}\b", example.source) for example in PLAYED)


def test_every_public_name_is_documented() -> None:
    undocumented = type(mooring.Rest) | type(mooring.Background) | tuple
    bare = [name for name in mooring.__all__ if not isinstance(getattr(mooring, name), undocumented) and not getattr(mooring, name).__doc__]
    assert bare == []


@pytest.mark.parametrize("name", sorted(BUILT_IN.table.commands))
def test_every_command_is_documented_and_its_example_runs(make_bot: MakeBot, name: str) -> None:
    entry = BUILT_IN.table.commands[name]
    assert entry.summary.endswith(".")
    assert f"`{entry.usage}`" in TEXT or f" `{entry.usage}`" in TEXT
    assert all(argument.help or argument.kind in {"rest", "text"} for argument in entry.arguments)
    bot = make_bot("bars")
    bot.join("olga", role="owner")
    bot.say("olga", "/boss summon")
    said = bot.say("olga", entry.example)
    assert "Usage:" not in said
    assert "Something went wrong" not in said


def test_every_example_of_torbox_can_be_read() -> None:
    torbox = load_plugins([PluginEntry(name="torbox")])
    for entry in torbox.table.commands.values():
        assert entry.summary
        parse(torbox.table.resolve(entry.example), Channel("c", "C", {}))
