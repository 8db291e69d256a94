"""Moderation as those see it who are connected: over real sockets, and in the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from mooring.plugins.web.identity import Identities
from mooring.plugins.web.token_files import TokenFiles
from tests.plugins.web.harness import Client, gateway
from tests.plugins.web.visitor import visitor

PLUGINS = ("help", "bars", "moderation")


def token_of_a_moderator(folder: Path) -> str:
    return Identities(TokenFiles(folder / "gateway")).give("mo", {"*": "moderator"})[1]


@pytest.mark.parametrize("line", ["/kick @ann", "/ban @ann 1d spam"])
async def test_who_is_put_out_reads_no_further(tmp_path: Path, line: str) -> None:
    token = token_of_a_moderator(tmp_path)
    async with (
        gateway(tmp_path, plugins=PLUGINS) as place,
        place.member("ann") as ann,
        place.returning(token) as mo,
        place.returning(ann.welcome["token"]) as second,
    ):
        assert (await mo.say(line))["body"]["ok"]
        assert (await mo.say("a word among us"))["body"]["ok"]
        for connection in (ann, second):
            answer = await connection.ask("ping")
            assert answer["type"] == "pong"
            assert "a word among us" not in connection.texts()
            assert any("ann" in text for text in connection.texts()), "but what was done to them"
            for asked in ("history", "character_page"):
                body = {"channel_id": "tavern", "before": 1000} if asked == "history" else {"channel_id": "tavern"}
                answer = await connection.ask(asked, body)
                assert (answer["type"], answer["body"]["code"]) == ("error", "not_joined")
            assert (await connection.say("I am still here"))["body"]["code"] == "not_joined"
        back = await ann.ask("join", {"channel_id": "tavern"})
        if line.startswith("/ban"):
            assert (back["body"]["ok"], back["body"]["message"]) == (False, "You are banned from this channel for another 1d: spam.")
            assert "a word among us" not in ann.texts()
        else:
            assert back["body"]["ok"]


async def test_a_message_that_is_deleted_is_gone_from_screens_and_history(tmp_path: Path) -> None:
    token = token_of_a_moderator(tmp_path)
    async with gateway(tmp_path, plugins=PLUGINS) as place, place.member("ann") as ann, place.returning(token) as mo:
        await ann.say("something nasty")
        message = (await mo.until("something nasty"))["body"]
        chosen = {
            "channel_id": "tavern",
            "menu_item_id": "delete",
            "message_id": message["message_id"],
            "message_subtype": message["subtype"],
            "message_content": {"text": "something nasty"},
        }
        refused = await ann.ask("menu_item_click", chosen)
        assert not refused["body"]["ok"], "others are not offered it"
        assert (await mo.ask("menu_item_click", chosen))["body"]["ok"]
        await ann.ask("ping")
        assert [frame["body"].get("context") for frame in ann.frames if frame["type"] == "message_down"][-1] == {"deleted": True}
        async with place.member("bob") as bob:
            shown = [text["content"]["text"] for frame in bob.frames if frame["type"] == "history" for text in frame["body"]["messages"]]
            assert "something nasty" not in shown


@pytest.mark.parametrize(("address", "another"), [("203.0.113.5", "::ffff:203.0.113.5"), ("2001:db8:1:2::5", "2001:db8:1:2:ffff::1")])
async def test_a_guest_who_is_banned_comes_back_as_no_other_guest(tmp_path: Path, address: str, another: str) -> None:
    token = token_of_a_moderator(tmp_path)

    def coming_from(each: str) -> dict[str, Any]:
        return {"additional_headers": {"X-Forwarded-For": each}}

    async with gateway(tmp_path, plugins=PLUGINS, web={"trusted_proxies": ["127.0.0.1"]}) as place, place.returning(token) as mo:
        async with place.member("neighbour", **coming_from(address)) as neighbour:
            pass
        async with place.member("ann", **coming_from(address)):
            assert (await mo.say("/ban @ann 2d spam"))["body"]["ok"]
        for name, again in (("anna", address), ("annabel", another)):
            async with place.connection(**coming_from(again)) as other:
                assert (await other.hello(name=name))["type"] == "welcome"
                answer = (await other.ask("join", {"channel_id": "tavern"}))["body"]
                assert (answer["ok"], answer["message"]) == (False, "You are banned from this channel for another 2d: spam.")
                await other.join("library")
        async with place.member("bob", **coming_from("203.0.113.6")), place.connection(**coming_from(address)) as back:
            await back.hello(token=neighbour.welcome["token"])
            await back.join()
        _, given = Identities(TokenFiles(tmp_path / "gateway")).give("guest-of-honour", {})
        async with place.connection(**coming_from(address)) as honoured:
            await honoured.hello(token=given)
            await honoured.join()
        assert not any(address in str(frame) for frame in mo.frames), "nobody is shown it"
        assert "address as well" in await said_by(mo, "/audit")
        assert (await mo.say("/unban ann"))["body"]["ok"]
        async with place.member("anthony", **coming_from(another)):
            pass


async def said_by(client: Client, line: str) -> str:
    await client.say(line)
    return client.texts()[-1]


@pytest.mark.browser
async def test_the_page_says_why_nobody_is_there_any_more(tmp_path: Path, chromium: Browser) -> None:
    token = token_of_a_moderator(tmp_path)
    async with gateway(tmp_path, plugins=PLUGINS) as place, place.returning(token) as mo, visitor(chromium, place.address, "ann") as ann:
        await ann.say("hello")
        await ann.sees("hello")
        await mo.say("/ban @ann spam")
        await ann.sees("ann is banned: spam.")
        await mo.say("a word among us")
        await ann.composer.fill("am I here?")
        await ann.composer.press("Enter")
        told = ann.page.get_by_text("You are banned from this channel").or_(ann.page.get_by_text("Join the channel first"))
        await expect(told.first).to_be_visible()
        await expect(ann.page.get_by_text("a word among us")).to_have_count(0)
        assert ann.complaints == []
