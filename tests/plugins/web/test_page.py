"""The page in a real browser, used as people use it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor

pytestmark = pytest.mark.browser


async def test_two_people_meet_hit_and_see_the_bars_move(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann, visitor(chromium, place.address, "bob") as bob:
        await ann.say("Evening!")
        await bob.sees("Evening!")
        await ann.sees("Evening!")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        await bob.say("/hit @ann 20")
        await ann.sees("bob hits ann: 20 damage. ann has 80 of 100 health.")
        for one in (ann, bob):
            async with asyncio.timeout(10):
                while await one.bar("ann", "Health") != ("80", "80/100"):  # the message comes first
                    await asyncio.sleep(0.02)
            assert await one.bar("bob", "Health") == ("100", "100/100")
            assert one.complaints == []
        await bob.say("/hot @ann")
        await bob.sees("There is no command /hot. Did you mean /hit? Example: /hit @ann 20")
        await expect(ann.log.get_by_text("There is no command")).to_have_count(0)


async def test_typing_by_keyboard_alone(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob"), visitor(chromium, place.address, "ann") as ann:
        keyboard = ann.page.keyboard
        await expect(ann.composer).to_be_focused()
        await keyboard.type("/hi")
        await expect(ann.suggestions).to_have_count(2)
        await expect(ann.suggestions.filter(has_text="/hit")).to_have_attribute("aria-selected", "false")
        await keyboard.press("ArrowDown")
        await expect(ann.suggestions.filter(has_text="/hit")).to_have_attribute("aria-selected", "true")
        await keyboard.press("Tab")
        await expect(ann.composer).to_have_value("/hit ")
        await expect(ann.page.locator("#hint b")).to_have_text("target")
        await expect(ann.suggestions).to_have_text(["@ann", "@bob"])
        await keyboard.type("@b")
        await expect(ann.suggestions).to_have_text(["@bob"])
        await keyboard.press("Tab")
        await keyboard.type("30")
        await expect(ann.page.locator("#hint b")).to_have_text("[amount]")
        await keyboard.press("Enter")
        await ann.sees("ann hits bob: 30 damage. bob has 70 of 100 health.")
        await keyboard.type("unfinished")
        await keyboard.press("Control+A")
        await keyboard.press("Backspace")
        await keyboard.press("ArrowUp")
        await expect(ann.composer).to_have_value("/hit @bob 30")
        await keyboard.press("Escape")
        await keyboard.press("Control+A")
        await keyboard.type("/cast ")
        await expect(ann.suggestions.first).to_have_text("fireball")
        await keyboard.press("Escape")
        await expect(ann.suggestions).to_have_count(0)
        await keyboard.press("Control+A")
        await keyboard.type("/torb")
        await expect(ann.suggestions).to_have_count(0)


async def test_older_messages_come_when_they_are_scrolled_to(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, web={"limits": {"burst": 1000}}) as place, place.member("bob") as bob:
        for number in range(120):
            await bob.say(f"word {number}")
        async with visitor(chromium, place.address, "ann") as ann:
            await ann.sees("word 119")
            await expect(ann.log.get_by_text("word 60", exact=True)).to_have_count(0)
            await ann.log.evaluate("(log) => { log.scrollTop = 0; }")
            await expect(ann.log.get_by_text("word 60", exact=True)).to_have_count(1)
            await ann.log.evaluate("(log) => { log.scrollTop = 0; }")
            await expect(ann.log.get_by_text("word 0", exact=True)).to_have_count(1)
            words = await ann.log.locator(".said").all_text_contents()
            assert words == [f"word {number}" for number in range(120)]
            await expect(ann.page.locator("#to-end")).to_be_visible()
            await bob.say("news")
            await expect(ann.page.locator("#to-end")).to_have_text("1 new")
            await ann.page.locator("#to-end").click()
            await expect(ann.log.get_by_text("news", exact=True)).to_be_in_viewport()


async def test_channels_count_what_is_unread(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob", "tavern", "library") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.get_by_role("button", name="library").click()
        await ann.sees("ann joined")
        await bob.say("in the tavern")
        tavern = ann.page.locator("#channel-list button", has_text="tavern")
        await expect(tavern.locator(".badge")).to_have_text("1")
        await expect(ann.page).to_have_title(re.compile(r"^\(1\) library"))
        await tavern.click()
        await ann.sees("in the tavern")
        await expect(tavern.locator(".badge")).to_have_count(0)


async def test_everything_a_channel_can_show(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/shelf")
        await expect(ann.page.get_by_role("table").get_by_role("columnheader")).to_have_text(["Title", "Year", "Size"])
        await expect(ann.page.get_by_role("cell", name="1.4 GB")).to_have_class("numeric")
        await ann.say("/poster")
        await expect(ann.page.get_by_role("link", name="Tell me more")).to_have_attribute("href", "https://example.org/evening")
        await expect(ann.page.locator(".card strong").nth(1)).to_have_text("sea")
        await expect(ann.page.get_by_role("link", name=re.compile("songs.pdf"))).to_have_attribute("rel", "noopener noreferrer")
        await ann.say("/brew 4")
        await expect(ann.page.get_by_role("progressbar", name="Brewing")).to_have_attribute("aria-valuenow", "4")
        await expect(ann.page.get_by_role("progressbar")).to_have_count(1)
        await ann.say("/offer")
        await ann.page.get_by_role("button", name="Wave").click()
        await ann.sees("ann pressed wave (no): nothing")
        await ann.page.get_by_role("button", name="Call a round").click()
        dialog = ann.page.get_by_role("dialog", name="Call for a round")
        await dialog.get_by_role("button", name="Never mind").click()
        await expect(dialog).to_be_hidden()
        await ann.page.get_by_role("button", name="Call a round").click()
        await dialog.get_by_label("Drink").select_option("Ale")
        await dialog.get_by_label("How many").fill("3")
        await dialog.get_by_label("A toast").fill("Cheers")
        await dialog.get_by_role("button", name="Order").click()
        await ann.sees("ann pressed round (order): Drink=Ale, How many=3, A toast=Cheers")
        await ann.say("quote me")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        message = ann.page.get_by_role("article").filter(has_text="quote me")
        await message.hover()
        await message.get_by_role("button", name=re.compile("Actions")).click()
        await ann.page.keyboard.press("Enter")
        await ann.sees("ann chose quote on: quote me")
        await ann.say("/sketch")
        await expect(ann.page.locator("#canvas").get_by_role("meter", name="Walked")).to_have_attribute("aria-valuetext", "3 of 10")
        await ann.say("/hide")
        await expect(ann.page.get_by_role("heading", name="Canvas")).to_be_hidden()
        await expect(ann.page.get_by_role("button", name="Wave")).to_have_count(0)
        assert ann.complaints == []


async def test_a_name_that_is_taken_is_told_on_the_form(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("ann"), visitor(chromium, place.address) as other:
        await other.page.goto(place.address)
        await other.page.get_by_label("Your name").fill("Ann")
        await other.page.keyboard.press("Enter")
        await expect(other.page.get_by_role("alert")).to_have_text("The name Ann is taken, or looks like one that is. Choose another.")
        await other.page.get_by_label("Your name").fill("two words")
        await other.page.keyboard.press("Enter")
        await expect(other.page.get_by_role("alert")).to_contain_text("one word")
        await other.page.get_by_label("Your name").fill("carl")
        await other.page.keyboard.press("Enter")
        await other.is_connected()
