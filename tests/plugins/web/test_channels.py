"""Channels that come and go while people are connected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from mooring import Admission, AdmissionRefused, Applicant, Context
from mooring.plugins.web.config import Config
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor


async def test_everybody_is_told_which_channels_there_are(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        await place.service.create_channel("The Club", "For all", channel_id="club")
        frame = await ann.wait_for("channels")
        assert [(entry["channel_id"], entry["open"], entry["joined"]) for entry in frame["body"]["channels"]] == [
            ("tavern", True, True),
            ("library", True, False),
            ("club", True, False),
        ]
        await ann.join("club")
        assert (await ann.say("Hello", "club"))["body"]["ok"]
        ann.frames.clear()
        await place.service.delete_channel("club")
        frame = await ann.wait_for("channels")
        assert "club" not in [entry["channel_id"] for entry in frame["body"]["channels"]]
        answer = await ann.say("Still here?", "club")
        assert (answer["type"], answer["body"]["code"]) == ("error", "not_joined")
        answer = await ann.ask("join", {"channel_id": "club"})
        assert (answer["type"], answer["body"]["code"]) == ("error", "unknown_channel")
        await place.service.create_channel("Another Club", channel_id="club")
        await ann.join("club")
        texts = [message["content"]["text"] for frame in ann.frames if frame["type"] == "history" for message in frame["body"]["messages"]]
        assert "Hello" not in texts, "of the old club nothing is there"
        assert (await place.get("/metrics")).status_code == 200


@pytest.mark.browser
async def test_the_page_shows_channels_as_they_come_and_go(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        channels = ann.page.locator("#channel-list")
        await place.service.create_channel("The Club", "For all", channel_id="club")
        await channels.get_by_role("button", name=re.compile("The Club")).click()
        await ann.is_connected()
        await expect(ann.page.locator("#channel-name")).to_have_text("The Club")
        await ann.say("Hello, club")
        await ann.sees("Hello, club")
        await place.service.update_channel("club", "The Better Club")
        await expect(ann.page.locator("#channel-name")).to_have_text("The Better Club")
        await place.service.delete_channel("club")
        await expect(channels.get_by_role("button")).to_have_count(2)
        await expect(ann.page.locator("#channel-name")).not_to_have_text("The Better Club")
        await ann.say("And on we go")
        await ann.sees("And on we go")
        assert ann.complaints == []


async def test_where_the_network_reaches_the_page_no_stranger_comes_into_a_channel_that_is_made_open(tmp_path: Path) -> None:
    assert not Config(host="0.0.0.0").lets_strangers_in
    async with gateway(tmp_path) as place:
        await place.service.create_channel("The Club", channel_id="club")
        door = Admission(place.service, 10, lets_strangers_in=False)
        with pytest.raises(AdmissionRefused, match="token"):
            door.admit("club", Applicant("m", "mallory"))
        assert door.admit("club", Applicant("a", "ann", is_vouched_for=True)) == {"name": "ann", "admitted": True}


@pytest.mark.browser
async def test_the_page_completes_and_shows_what_serves_the_channel(tmp_path: Path, chromium: Browser) -> None:
    channels = [{"id": "tavern", "plugins": ["help", "bars"]}, {"id": "library", "plugins": ["help"]}]
    async with gateway(tmp_path, channels=channels) as place, visitor(chromium, place.address, "ann") as ann:
        listed = ann.page.locator("#channel-list")
        await ann.composer.fill("/hi")
        await expect(ann.suggestions).to_have_count(1)
        await expect(ann.page.get_by_role("meter", name="Health").first).to_be_visible()
        await ann.composer.fill("")
        await listed.get_by_role("button", name=re.compile("library")).click()
        await expect(ann.page.locator("#channel-name")).to_have_text("library")
        await ann.composer.fill("/hi")
        await expect(ann.suggestions).to_have_count(0)
        await ann.composer.fill("")
        await ann.say("/hit @ann 5")
        await ann.sees("There is no command /hit. Type /help for all commands.")
        await expect(ann.page.get_by_role("meter", name="Health")).to_have_count(0)

        async def switch(ctx: Context) -> None:
            ctx.switch_plugin("bars", True)

        await place.service.in_channel("library", switch)
        await expect(ann.page.get_by_role("meter", name="Health").first).to_be_visible()
        await ann.composer.fill("/hi")
        await expect(ann.suggestions).to_have_count(1)
        assert ann.complaints == []
