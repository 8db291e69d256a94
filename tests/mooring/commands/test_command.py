"""The table of commands: what a line finds, and what it tells when it finds nothing."""

from __future__ import annotations

import json

import pytest

from mooring import CommandError, Context, PluginError, command, requires
from mooring.commands.command import CommandTable, commands_of


@command(example="/hit @ann 20", aliases=["strike", "box list"])
@requires("moderator")
async def hit(ctx: Context, amount: int = 1) -> None:
    """Take health from a member.

    It hurts.
    """


@command("torbox list", example="/torbox list torrents")
async def listing(ctx: Context) -> None:
    """List records."""


@command("torbox")
async def torbox(ctx: Context) -> None:
    """Say what TorBox is."""


@command
async def new_poll(ctx: Context) -> None: ...


TABLE = CommandTable(commands_of("test", [hit, listing, torbox, new_poll, print], None))


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("/hit @ann 20", "hit", "@ann 20"),
        ("/HIT", "hit", ""),
        ("  / hit\t5 ", "hit", "5"),
        ("/strike 5", "hit", "5"),
        ("/torbox list usenet", "torbox list", "usenet"),
        ("/torbox  LIST", "torbox list", ""),
        ("/torbox lists", "torbox", "lists"),
        ("/box list 2", "hit", "2"),
        ("/new-poll", "new-poll", ""),
    ],
)
def test_a_line_finds_its_command(line: str, name: str, rest: str) -> None:
    match = TABLE.find(line)
    assert match is not None
    assert (match.command.name, match.rest) == (name, rest)


@pytest.mark.parametrize("line", ["/", "/  ", "/hi", "/hit@ann", "hello", "", "/box", "/box lost"])
def test_other_lines_find_nothing(line: str) -> None:
    assert TABLE.find(line) is None


def test_an_unknown_command_is_told_with_the_nearest() -> None:
    with pytest.raises(CommandError, match=r"^There is no command /hti\. Did you mean /hit\? Example: /hit @ann 20$"):
        TABLE.resolve("/hti @ann 20")
    with pytest.raises(CommandError, match="A command is missing"):
        TABLE.resolve("/ ")
    with pytest.raises(CommandError, match=r"^There is no command /qqqq\. Type /help for all commands\.$"):
        TABLE.resolve("/qqqq")


def test_a_group_names_its_subcommands() -> None:
    table = CommandTable(commands_of("test", [listing], None))
    with pytest.raises(CommandError, match=r"^/torbox needs one of list\. Example: /torbox list torrents$"):
        table.resolve("/torbox")
    with pytest.raises(CommandError, match=r"There is no command /torbox lst\. Did you mean /torbox list\?"):
        table.resolve("/torbox lst")


def test_what_was_typed_stays_one_short_line() -> None:
    with pytest.raises(CommandError) as caught:
        TABLE.resolve("/" + "x\x00\u2028" * 3000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 150


def test_the_table_is_data() -> None:
    described = json.loads(json.dumps(TABLE.describe()))
    entry = next(entry for entry in described if entry["name"] == "hit")
    assert entry["summary"] == "Take health from a member."
    assert entry["help"].endswith("It hurts.")
    assert entry["usage"] == "/hit [amount]"
    assert (entry["requires"], entry["aliases"], entry["plugin"]) == ("moderator", ["strike", "box list"], "test")
    assert entry["arguments"][0] == {
        "name": "amount",
        "kind": "integer",
        "required": False,
        "choices": [],
        "help": "",
        "usage": "[amount]",
        "expects": "a whole number",
    }


def test_two_commands_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="/hit is a command of plugin test already"):
        CommandTable([*TABLE.commands.values(), *commands_of("other", [command("hit")(new_poll)], None)])


@pytest.mark.parametrize("name", ["/hit", "Hit", "two  spaces", " hit"])
def test_names_that_could_not_be_typed_are_refused(name: str) -> None:
    def do(ctx: Context) -> None: ...

    with pytest.raises(PluginError, match="use lower-case words"):
        commands_of("test", [command(name)(do)], None)
