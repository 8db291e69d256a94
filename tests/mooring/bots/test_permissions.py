"""Who may use a plugin's commands, and what it shows, by role or group and by channel, as the config says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage import ConfigError
from tests.service_for_tests import Driver, running

SOURCE = '''
from mooring import Button, Context, command, requires

@command("shelf list", example="/shelf list")
async def listed(ctx: Context) -> str:
    """List."""
    return "listed"

@command("shelf sync now", example="/shelf sync now")
async def sync(ctx: Context) -> str:
    """Fetch all."""
    return "synced"

@command("dust", example="/dust")
@requires("moderator")
async def dust(ctx: Context) -> str:
    """Dust it."""
    return "dusted"

async def on_channel_init(ctx: Context) -> None:
    ctx.show("buttons", [Button("ring", "Ring")])

async def on_button_click(ctx: Context, click) -> None:
    ctx.reply("rung")
'''

MEMBERS = {"ann": None, "mo": "moderator", "olga": "owner", "lib": None}


def serving(tmp_path: Path, allow: Any = None, *, channel_allow: Any = None, groups: Any = None) -> Any:
    (tmp_path / "own").mkdir(exist_ok=True)
    (tmp_path / "own" / "shelf.py").write_text(SOURCE)
    uses: list[Any] = ["help", {"name": "shelf", **({} if channel_allow is None else {"allow": channel_allow})}]
    return running(
        tmp_path,
        plugins=["help", {"name": "shelf", **({} if allow is None else {"allow": allow})}],
        plugin_folders=[str(tmp_path / "own")],
        channels=[{"id": "tavern", "plugins": uses}, "attic"],
        groups=groups or {},
    )


async def joined(bot: Driver[Any]) -> None:
    for member, role in MEMBERS.items():
        for channel in ("tavern", "attic"):
            await bot.join(member, channel=channel, role=role)


async def who_may(bot: Driver[Any], line: str, channel: str = "tavern") -> set[str]:
    return {member for member in MEMBERS if (await bot.say(member, line, channel)).ok}


EVERYBODY = set(MEMBERS)


@pytest.mark.parametrize(
    ("allow", "listing", "syncing", "dusting"),
    [
        (None, EVERYBODY, EVERYBODY, {"mo", "olga"}),
        ("moderator", {"mo", "olga"}, {"mo", "olga"}, {"mo", "olga"}),
        ({"shelf sync": "owner"}, EVERYBODY, {"olga"}, {"mo", "olga"}),
        ({"shelf": ["moderator", "librarians"]}, {"mo", "olga", "lib"}, {"mo", "olga", "lib"}, {"mo", "olga"}),
        ({"shelf sync now": "librarians", "*": "owner"}, {"olga"}, {"olga", "lib"}, {"olga"}),
        ({"dust": "member"}, EVERYBODY, EVERYBODY, EVERYBODY),
    ],
)
async def test_commands_are_for_those_whom_the_config_names(
    tmp_path: Path, allow: Any, listing: set[str], syncing: set[str], dusting: set[str]
) -> None:
    async with serving(tmp_path, allow, groups={"librarians": ["lib"]}) as bot:
        await joined(bot)
        for channel in ("tavern", "attic"):
            assert await who_may(bot, "/shelf list", channel) == listing
            assert await who_may(bot, "/shelf sync now", channel) == syncing
            assert await who_may(bot, "/dust", channel) == dusting


async def test_a_channel_has_its_own_permissions_over_those_of_the_plugin(tmp_path: Path) -> None:
    async with serving(tmp_path, {"shelf list": "owner", "dust": "member"}, channel_allow={"shelf list": "member", "shelf sync": "owner"}) as bot:
        await joined(bot)
        assert await who_may(bot, "/shelf list", "tavern") == EVERYBODY
        assert await who_may(bot, "/shelf list", "attic") == {"olga"}
        assert await who_may(bot, "/shelf sync now", "tavern") == {"olga"}
        assert await who_may(bot, "/dust", "tavern") == EVERYBODY


async def test_a_refusal_says_for_whom_it_is_and_help_does_not_list_it(tmp_path: Path) -> None:
    async with serving(tmp_path, {"shelf sync": ["owner", "librarians"]}, groups={"librarians": ["lib"]}) as bot:
        await joined(bot)
        assert (await bot.say("ann", "/shelf sync now")).message == "/shelf sync now is for owners of this channel and librarians."
        for member, sees in (("ann", False), ("lib", True), ("olga", True)):
            await bot.say(member, "/help")
            assert ("/shelf sync now" in bot.recorder.texts(member, "tavern")[-1]) == sees


async def test_buttons_of_a_limited_plugin_are_for_those_too(tmp_path: Path) -> None:
    async with serving(tmp_path, "moderator") as bot:
        await joined(bot)
        clicked = {member: await bot.click(member, "ring", channel="tavern") for member in MEMBERS}
        assert {member for member, answer in clicked.items() if answer.ok} == {"mo", "olga"}
        assert clicked["ann"].message == "That is for moderators of this channel."


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"allow": {"shelf lits": "owner"}}, r"permissions name /shelf lits, which it does not have\. Did you mean /shelf list"),
        ({"allow": "onwer"}, r"permissions name onwer, which is no role and no group\. Did you mean owner"),
        ({"channel_allow": {"shelf": "librarian"}, "groups": {"librarians": []}}, r"channel tavern.*shelf.*librarian, .*Did you mean librarians"),
        ({"allow": {"shelf": []}}, r"allow"),
        ({"groups": {"owner": ["ann"]}}, r"owner is a role"),
    ],
)
async def test_what_names_nothing_is_a_fault(tmp_path: Path, more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        async with serving(tmp_path, **more):
            pass
