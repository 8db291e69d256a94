"""The page in a real browser, used as people use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.cable import cable
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor
from tests.process_for_tests import start, write_configs

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
            assert await one.bar("ann", "Health") == ("80", "80/100")
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


async def test_a_killed_service_comes_back_and_nothing_is_lost_or_doubled(tmp_path: Path, chromium: Browser) -> None:
    options = [*write_configs(tmp_path), "--data-dir", "gateway"]
    process = await start(tmp_path, *options)
    port = process.address.rstrip("/").rsplit(":", 1)[1]
    async with visitor(chromium, process.address, "ann") as ann:
        await ann.say("before")
        await ann.sees("before")
        process.kill()
        await process.wait()
        await expect(ann.page.locator("#state")).to_have_text(re.compile("Reconnecting|Connecting"))
        await ann.say("/hit @ann 20")
        await ann.composer.fill("half a senten")
        process = await start(tmp_path, *options, MOORING_PORT=port)
        await ann.is_connected()
        await expect(ann.log.get_by_text("ann has 80 of 100 health.")).to_have_count(1)
        await expect(ann.log.get_by_text("before", exact=True)).to_have_count(1)
        await expect(ann.composer).to_have_value("half a senten")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        await ann.page.reload()
        await ann.is_connected()
        await expect(ann.log.get_by_text("before", exact=True)).to_have_count(1)
        await expect(ann.composer).to_have_value("half a senten")
    await process.end()


async def test_a_service_that_is_restarted_says_so_and_both_go_on_where_they_were(tmp_path: Path, chromium: Browser) -> None:
    options = [*write_configs(tmp_path), "--data-dir", "gateway"]
    process = await start(tmp_path, *options)
    port = process.address.rstrip("/").rsplit(":", 1)[1]
    async with visitor(chromium, process.address, "ann") as ann, visitor(chromium, process.address, "bob") as bob:
        await ann.say("one")
        await bob.sees("one")
        await ann.composer.fill("half a senten")
        code, _ = await process.end()
        assert code == 0
        for each in (ann, bob):
            await expect(each.page.locator("#state")).to_have_text(re.compile("Reconnecting|Connecting"))
        await bob.say("two")
        await bob.say("/hit @ann 20")
        await expect(bob.page.locator(".pending")).to_have_count(2)
        await expect(ann.composer).to_have_value("half a senten")
        process = await start(tmp_path, *options, MOORING_PORT=port)
        for each in (ann, bob):
            await each.is_connected()
            await each.sees("bob hits ann: 20 damage. ann has 80 of 100 health.")
            await expect(each.page.locator(".pending")).to_have_count(0)
        await expect(ann.composer).to_have_value("half a senten")
        await ann.composer.press("End")
        await ann.page.keyboard.type("ce")
        await ann.page.keyboard.press("Enter")
        await bob.sees("half a sentence")
        for each in (ann, bob):
            await each.sees("half a sentence")
            await expect(each.page.locator(".pending")).to_have_count(0)
            assert await each.log.locator(".said").all_text_contents() == ["one", "two", "half a sentence"]
            await expect(each.log.get_by_text("bob hits ann")).to_have_count(1)
            assert await each.bar("ann", "Health") == ("80", "80/100")
    await process.end()


async def test_a_pulled_cable_loses_nothing(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        await bob.say("one")
        await ann.sees("one")
        line.cut()
        await expect(ann.page.locator("#state")).not_to_have_text("Connected")
        await bob.say("two")
        await ann.say("three")
        await expect(ann.page.locator(".pending")).to_have_count(1)
        line.plugged = True
        await ann.is_connected()
        await bob.until("three")
        await bob.say("four")
        await ann.sees("four")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        assert await ann.log.locator(".said").all_text_contents() == ["one", "two", "three", "four"]


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
        await ann.say("/hide")
        await expect(ann.page.get_by_role("heading", name="Canvas")).to_be_hidden()
        await expect(ann.page.get_by_role("button", name="Wave")).to_have_count(0)
        assert ann.complaints == []


async def test_the_phone_has_drawers(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **PHONE) as ann:
        page = ann.page
        await expect(page.locator("#mine").get_by_role("meter", name="Health")).to_have_attribute("aria-valuetext", "100 of 100")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        await page.get_by_role("button", name="Show members and canvas").tap()
        await expect(page.get_by_role("heading", name=re.compile("Members"))).to_be_in_viewport()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("heading", name=re.compile("Members"))).not_to_be_in_viewport()
        await expect(page.get_by_role("button", name="Show members and canvas")).to_be_focused()
        await page.get_by_role("button", name="Show the channels").tap()
        await page.locator("#channel-list").get_by_role("button", name="library").tap()
        await expect(page.get_by_role("heading", level=1)).to_have_text("library")
        await ann.sees("ann joined")


async def test_nothing_comes_from_elsewhere_and_nothing_shifts(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob:
        for number in range(30):
            await bob.say(f"word {number}")
        async with visitor(chromium, place.address, "ann") as ann:
            assert all(url.startswith((place.address, "data:")) for url in ann.requests)
            await ann.page.reload()
            shifts = await ann.page.evaluate(
                """() => new Promise((resolve) => {
                    let sum = 0;
                    const add = (list) => { for (const entry of list.getEntries()) sum += entry.value; };
                    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
                    setTimeout(() => resolve(sum), 800);
                })"""
            )
            assert shifts < 0.02
            assert len({url for url in ann.requests if not url.startswith("data:")}) <= 9, "and the WebSocket"


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
