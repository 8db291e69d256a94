"""Small bots, one for each way of the SDK's demos, run unchanged but for their imports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mooring.events import ButtonClick, ClickArgument, Down, MenuItemClick, MessageBody, MessageContent, SimpleAction
from tests.mooring.sdk.bots_for_tests import CHANNEL, running_bot
from tests.service_for_tests import Driver
from tests.waiting_for_tests import eventually


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shown(bot: Driver[Any], kind: str, member: str) -> Any:
    """What this member sees of one kind."""
    [down] = [down for down in bot.service.current(CHANNEL, member) if down.type == kind]
    return down.body


def last(bot: Driver[Any]) -> Any:
    return next(down for down in reversed(bot.recorder.downs) if down.type == "message_down")


async def say(bot: Driver[Any], member: str, text: str, **more: Any) -> Any:
    """The last message when this one was handled."""
    answer = await bot.say(member, text, CHANNEL, **more)
    assert answer.ok, answer
    return last(bot)


async def test_buttons_with_dialogs(tmp_path: Path) -> None:
    async with running_bot("buttons", tmp_path) as bot:
        plain, paint, none, of_dict = shown(bot, "buttons", "ann")
        assert (plain.button_text, paint.dialog.components[0].choices, none.dialog) == ("Count me", ["red", "green"], None)
        assert of_dict.dialog["title"] == "Name"
        assert shown(bot, "buttons", "bob") is not shown(bot, "buttons", "ann")

        for count in (1, 2):
            await bot.click("ann", "plain", CHANNEL)
            assert last(bot).body.content.text == f"plain: {count}, arguments []"
        assert last(bot).recipients == {"ann"}
        await bot.click("bob", "plain", CHANNEL)
        assert last(bot).body.content.text == "plain: 1, arguments []"
        arguments = [ClickArgument("Colour", "red"), ClickArgument("Reason", "I like it")]
        await bot.act("button_click", "bob", ButtonClick("paint", CHANNEL, "bob", arguments, bottom_button_id="ok"), CHANNEL)
        assert last(bot).body.content.text == "Colour=red, Reason=I like it by ok"


async def test_menus_canvas_and_style(tmp_path: Path) -> None:
    (tmp_path / "board.png").write_bytes(b"board")
    async with running_bot("menu_canvas", tmp_path) as bot:
        board, far, text = shown(bot, "canvas", "ann")
        assert bot.service.file("uploads", board.path.split("/")[3]).read_bytes() == b"board"
        assert (far.path, text.text) == ("https://example.org/far.png", "only text")
        assert [item.menu_item_id for item in shown(bot, "menu", "bob")][-1] == "note"
        assert shown(bot, "style", "ann")[0].expand

        assert (await say(bot, "ann", "hello")).body.content.text == "hello"
        click = MenuItemClick("note", "text", MessageContent("hello"), CHANNEL, "bob", arguments=[ClickArgument("note", "hm")])
        await bot.act("menu_item_click", "bob", click, CHANNEL)
        assert (last(bot).body.content.text, last(bot).recipients) == ("note on 'hello' hm", {"bob"})


async def test_agents(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(b"face")
    async with running_bot("agents", tmp_path, ["visits"]) as bot:
        helper, crew = bot.service.helper, bot.service.crew
        assert helper.avatar.startswith("/files/uploads/")
        assert last(bot).body.sender == helper.character_id
        assert [each.name for each in shown(bot, "characters", "ann")] == ["Helper", "ann", "bob", "Abe", "Bea"]
        assert (await say(bot, "ann", "hello")).body.content.text == "hello"
        assert (await say(bot, "ann", "others")).recipients == {"bob"}
        assert (await say(bot, "ann", "nested")).recipients is None
        assert (await say(bot, "ann", "are you there?", to=["service"])).body.content.text == "The service heard: are you there?"
        await say(bot, "bob", "rename Adam")
        assert [each.name for each in shown(bot, "characters", "bob")][3:] == ["Adam", "Bea"]
        assert (await bot.service.fetch_agents())[1].name == "Adam"
        assert (await say(bot, "bob", "visits")).body.content.text == "{'ann': 1, 'bob': 1}"
        await bot.act("leave", "ann", SimpleAction("leave", CHANNEL, "ann"), CHANNEL)
        assert (last(bot).body.content.text, last(bot).body.sender) == ("ann went", crew["Abe"].character_id)
    async with running_bot("agents", tmp_path, ["visits"]) as bot:
        assert bot.service.helper == helper
        assert (await say(bot, "ann", "visits")).body.content.text == "{'ann': 2, 'bob': 1}"


async def test_files(tmp_path: Path) -> None:
    async with running_bot("files", tmp_path) as bot:

        def content(down: Down) -> bytes:
            _, _, place, token, _ = down.body.content.path.split("/")
            found: Path = bot.service.file(place, token)
            return found.read_bytes()

        def named(text: str) -> Any:
            return next(down for down in bot.recorder.downs if down.type == "message_down" and down.body.content.filename == text)

        logo = await say(bot, "ann", "logo")
        assert (logo.body.subtype, content(logo)) == ("image", b"logo")
        assert (await say(bot, "ann", "path")).body.content.text == f"it is at {named('picture.png').body.content.path}"
        assert (named("picture.png").body.subtype, content(named("picture.png"))) == ("image", b"picture")
        sound = await say(bot, "bob", "sound")
        assert (sound.body.subtype, content(sound), sound.recipients) == ("audio", b"song", None)
        file = await say(bot, "bob", "file")
        assert (file.body.subtype, file.body.content.filename, file.body.content.size) == ("file", "Data.bin", 100)
        body = await say(bot, "bob", "body")
        assert (body.body.subtype, content(body)) == ("image", b"body")
        assert (await say(bot, "ann", "round trip")).body.content.text == "logo saved.png"
        assert (await say(bot, "ann", "card")).body.content.button == "Go"
        before = len(bot.recorder.downs)
        await say(bot, "ann", "nobody")
        assert len(bot.recorder.downs) == before


async def test_what_members_write_is_no_file_of_the_bots(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    async with running_bot("files", tmp_path) as bot:
        body = MessageBody("image", CHANNEL, MessageContent(path=str(tmp_path / "secret.txt")))
        await bot.act("message_up", "ann", body, CHANNEL)
        assert last(bot).body.content.path is None
        assert [path.name for path in (tmp_path / "data" / "uploads").iterdir() if len(path.name) == 32] == [bot.service.logo.split("/")[3]]


async def test_databases(tmp_path: Path) -> None:
    for start in (1, 2):
        async with running_bot("database", tmp_path, ["stats", "people"]) as bot:
            assert bot.service.channels[CHANNEL].stats is not None

            async def told(member: str, word: str, bot: Driver[Any] = bot) -> Any:
                return (await say(bot, member, word)).body.content.text

            assert await told("ann", "str") == f"str is {start * 11 - 9}"
            assert await told("bob", "dex") == f"dex is {start + 1}"
            assert await told("ann", "in place") == f"saved {start * 11 + 1}"
            assert await told("ann", "me") == "kept Character"
            assert await told("ann", "reload") == "reloaded 2"
            assert not (await bot.say("ann", "fail", CHANNEL)).ok
            everybody = {"ann": {"str": start * 11 + 1, "dex": 1}, "bob": {"str": 1, "dex": start + 1}}
            assert await told("ann", "look") == f"ann: {everybody['ann']}; everybody: CachedDict({everybody})"
    async with running_bot("database", tmp_path, ["stats", "people"]) as bot:
        assert (await say(bot, "bob", "pop")).body.content.text == "popped {'str': 1, 'dex': 3}, left ['ann']"
        assert bot.service.channels[CHANNEL].people["ann"].name == "ann"


async def test_a_scheduler_and_tasks_of_its_own(tmp_path: Path) -> None:
    async with running_bot("scheduler", tmp_path, ["reminders"]) as bot:
        assert bot.service.actions == ["join", "join"]
        assert (await bot.click("ann", "remind", CHANNEL)).ok
        texts: Callable[[], list[str]] = lambda: bot.recorder.texts("ann", CHANNEL)  # noqa: E731
        await eventually(lambda: {"reminder 1", "reminder 2", "later"} <= set(texts()))
        await bot.say("ann", "stop", CHANNEL)
        count = len(texts())
        assert bot.service.scheduler.get_jobs() == []
        await asyncio.sleep(0.15)
        assert len(texts()) <= count + 1  # one may have been on its way
        reminders = bot.service.channels[CHANNEL].reminders
        assert reminders["ann later"] is True
        assert reminders["ann"] >= 2
        await bot.act("refresh", "bob", SimpleAction("refresh", CHANNEL, "bob"), CHANNEL)
        assert bot.service.actions == ["join", "join", "button_click", "refresh"]
        await eventually(lambda: bot.service.checkins >= 2)
        scheduler = bot.service.scheduler
    await eventually(lambda: not scheduler.running)
