"""What hooks of the start can ask and do: bots of the SDK look at members there, and show them things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring import Moobius, types
from mooring.types import Button, Dialog, InputComponent, MenuItem
from tests.service_for_tests import json_dicts, running

HOOKS = ("before_channel_init", "on_channel_init", "initalize_channel", "on_channel_checkin")


class Curious(Moobius):
    """Asks everything of both channels, in one hook."""

    asks_in = ""
    seen: dict[str, Any] = {}  # noqa: RUF012 - set anew

    async def ask(self, hook: str) -> None:
        if hook != self.asks_in or self.seen:
            return
        self.seen = {
            channel_id: [
                list(await self.fetch_member_ids(channel_id)),
                [each.name for each in await self.fetch_characters(channel_id)],
                [each["content"]["text"] for each in await self.fetch_message_history(channel_id)],
            ]
            for channel_id in ("tavern", "cellar")
        }
        self.seen["one"] = (await self.fetch_character_profile("eve")).name
        self.seen["many"] = [each.name for each in await self.fetch_character_profile(["eve", "nobody", "ann"])]
        everybody = await self.fetch_member_ids("tavern")
        await self.send_characters(everybody, "tavern", ["ann"])
        await self.send_characters(["bob", "eve"], "tavern", ["bob"])
        await self.send_message("set up", "tavern", "ann", everybody)

    async def before_channel_init(self) -> None:
        await self.ask("before_channel_init")

    async def on_channel_init(self, channel_id: str) -> None:
        await self.ask("on_channel_init")
        await super().on_channel_init(channel_id)

    async def initalize_channel(self, channel_id: str) -> None:
        await self.ask("initalize_channel")
        await super().initalize_channel(channel_id)

    async def on_channel_checkin(self, channel_id: str) -> None:
        await self.ask("on_channel_checkin")


@pytest.mark.parametrize("hook", [*HOOKS, "on_start"])
async def test_hooks_of_the_start_see_who_belongs_to_every_channel(hook: str, tmp_path: Path) -> None:
    configs: dict[str, Any] = {"channels": ["tavern", "cellar"], "db_config": json_dicts(tmp_path, "stats")}
    async with running(tmp_path, **configs) as bot:
        await bot.join("ann", "bob")
        await bot.join("ann", "eve", channel="cellar")

    class Bot(Curious):
        asks_in = hook

        async def on_start(self) -> None:
            await self.ask("on_start")

    async with running(tmp_path, Bot, **configs) as bot:
        told = ["ann joined", "bob joined"]
        assert bot.service.seen == {
            "tavern": [["ann", "bob"], ["ann", "bob"], told],
            "cellar": [["ann", "eve"], ["ann", "eve"], ["ann joined", "eve joined"]],
            "one": "eve",
            "many": ["eve", "ann"],
        }
        assert "set up" in [each["content"]["text"] for each in await bot.service.fetch_message_history("tavern")]
        [listed] = [down.body for down in bot.service.current("tavern", "bob") if down.type == "characters"]
        assert [each.name for each in listed] == ["bob"]
        await bot.join("new")
        assert list(await bot.service.fetch_member_ids("tavern")) == ["ann", "bob", "new"]


async def test_a_message_to_an_agent_reaches_the_bot_and_is_seen_by_who_wrote_it(tmp_path: Path) -> None:
    heard: list[list[str]] = []

    class Bot(Moobius):
        async def on_start(self) -> None:
            self.imp = await self.create_agent("Imp")

        async def on_message_up(self, message: types.MessageBody) -> None:
            heard.append(list(message.recipients))
            await self.send_message(message)

    async with running(tmp_path, Bot) as bot:
        await bot.join("ann", "bob")
        imp = bot.service.imp.character_id
        for to in ([imp], [imp, "service"], [imp, "bob"], [imp, "nobody"], ["nobody"], ["service"]):
            await bot.say("ann", f"to {len(heard)}", to=to)
        assert heard == [[imp], [imp], sorted([imp, "ann", "bob"]), [imp], ["ann"], []]
        assert [text for text in bot.recorder.texts("ann") if text.startswith("to")] == [f"to {place}" for place in range(5)]
        assert [text for text in bot.recorder.texts("bob") if text.startswith("to")] == ["to 2"]


async def test_false_means_none_of_it_wherever_a_bot_says_so(tmp_path: Path) -> None:
    buttons = [
        Button("none", "None", dialog=False),  # type: ignore[arg-type]
        Button("empty", "Empty", Dialog(components=False, bottom_buttons=False)),  # type: ignore[arg-type]
        Button("text", "Text", Dialog(components=[InputComponent("x", types.TEXT, choices=False)])),  # type: ignore[arg-type]
        Button("listed", "Listed", [Dialog("In a list")]),  # type: ignore[arg-type]
        Button("dict", "Dict", {"title": "A dict", "components": False}),  # type: ignore[arg-type]
        {"button_id": "all", "button_text": "A dict", "dialog": False},
    ]
    async with running(tmp_path, Moobius) as bot:
        await bot.join("ann")
        await bot.service.send_buttons(buttons, "tavern", ["ann"])  # type: ignore[arg-type]
        await bot.service.send_menu(MenuItem("none", "None", types.ALL, dialog=False), "tavern", ["ann"])  # type: ignore[arg-type]
        for _ in ("as sent", "as kept"):
            shown = {down.type: down.body for down in bot.service.current("tavern", "ann")}
            none, empty, text, listed, of_dict, whole = shown["buttons"]
            assert (none.dialog, whole.dialog, shown["menu"][0].dialog) == (None, None, None)
            assert (empty.dialog.components, empty.dialog.bottom_buttons, text.dialog.components[0].choices) == (None, None, None)
            assert listed.dialog.title == "In a list"
            assert of_dict.dialog["components"] is None
    first: Any = buttons[0]
    assert first.dialog is False
