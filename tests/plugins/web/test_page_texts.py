"""How texts are drawn: addresses and mentions in them, scripts that run from the right, times, and what is too long or too large."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from mooring import Context, table
from tests.plugins.web.cable import cable
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor

pytestmark = pytest.mark.browser

SITE = "https://example.org"
LINKS = {
    f"see {SITE}/a_(b) there": [f"{SITE}/a_(b)"],
    f"(see {SITE}/a_(b))": [f"{SITE}/a_(b)"],
    f"(see {SITE}/a).": [f"{SITE}/a"],
    f"[{SITE}/a]": [f"{SITE}/a"],
    f"{SITE}/a?b=[1]": [f"{SITE}/a?b=[1]"],
    f"It is {SITE}/a. And then": [f"{SITE}/a"],
    f"Is it {SITE}/a?": [f"{SITE}/a"],
    f"{SITE}/a, {SITE}/b; {SITE}/c!": [f"{SITE}/a", f"{SITE}/b", f"{SITE}/c"],
    f"'{SITE}/a'": [f"{SITE}/a"],
    f"{SITE}/it's/there": [f"{SITE}/it's/there"],
    f"{SITE}/v1.2.3/x.tar.gz": [f"{SITE}/v1.2.3/x.tar.gz"],
    f"{SITE}/@ann/1": [f"{SITE}/@ann/1"],
    "HTTPS://EXAMPLE.ORG/A": ["HTTPS://EXAMPLE.ORG/A"],
    "https://": [],
    "https://)": [],
    "ftp://example.org": [],
    f"{SITE}/{')' * 5000}": [f"{SITE}/"],
}
MENTIONS = {
    "hello @ann": ["@ann"],
    "@ann.": ["@ann"],
    "(@ann)": ["@ann"],
    "@ann, @bob!": ["@ann", "@bob"],
    "@J.-L._x": ["@J.-L._x"],
    "me@example.org": [],
    "write to me.too+list@example.org": [],
    "@": [],
    "@@": [],
    "a @ b": [],
    "@\u017bó\u0142w": ["@\u017bó\u0142w"],
}


async def test_links_are_as_long_as_their_addresses(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        for number, (text, links) in enumerate(LINKS.items()):
            await bob.say(text)
            await bob.say(f"end {number}")
            await ann.sees(f"end {number}")
            said = ann.log.locator(".said").nth(-2)
            assert await said.locator("a").all_text_contents() == links, text
            assert await said.text_content() == text[:4000]
        assert await ann.log.locator("a").first.get_attribute("href") == f"{SITE}/a_(b)"


async def test_mentions_are_names_and_no_addresses(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        for number, (text, mentions) in enumerate(MENTIONS.items()):
            await bob.say(text)
            await bob.say(f"end {number}")
            await ann.sees(f"end {number}")
            said = ann.log.locator(".said").nth(-2)
            assert await said.locator(".mention").all_text_contents() == mentions, text
            assert await said.text_content() == text
        await bob.say("It is @ann's.")
        await expect(ann.log.locator(".said").last.locator(".to-me")).to_have_count(1)
        await expect(ann.log.locator(".to-me")).to_have_count(5)


async def test_scripts_that_run_from_the_right_do_so(tmp_path: Path, chromium: Browser) -> None:
    hebrew = "שלום לכולם, 3 times!"
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        direction = "(node) => getComputedStyle(node).direction"
        for text, wanted in ((hebrew, "rtl"), ("good evening", "ltr"), ("123", "ltr")):
            await bob.say(text)
            await ann.sees(text)
            assert await ann.log.locator(".said p").last.evaluate(direction) == wanted
        await bob.say(f"/board {hebrew}")
        for place_of_it in (ann.log.get_by_role("cell"), ann.log.locator(".card p"), ann.page.locator("#canvas p")):
            await expect(place_of_it.first).to_be_visible()
            assert await place_of_it.first.evaluate(direction) == "rtl"
        await ann.composer.fill(hebrew)
        assert await ann.composer.evaluate(direction) == "rtl"
        assert await ann.page.locator("#log").evaluate(direction) == "ltr"


async def test_dates_have_years_and_times_are_exact_for_whoever_points_at_them(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob:
        await bob.say("one")
        await bob.say("two")
        await bob.say("/hit @bob 1")
        async with visitor(chromium, place.address, locale="en-GB", timezone_id="UTC") as ann:
            sent = next(frame["body"] for frame in bob.frames if frame["type"] == "message_down" and frame["body"]["content"]["text"] == "two")
            await ann.page.clock.install(time=sent["timestamp"] / 1000 + 400 * 86_400)
            await ann.come("ann")
            await ann.sees("two")
            first = await ann.page.evaluate("(at) => new Intl.DateTimeFormat('en-GB', { dateStyle: 'full' }).format(at)", sent["timestamp"])
            await expect(ann.page.locator(".day").first).to_have_text(first)
            assert re.search(r"20\d\d", first)
            message = ann.page.get_by_role("article").filter(has_text="two")
            moment = await ann.page.evaluate(
                "(at) => new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'medium' }).format(at)", sent["timestamp"]
            )
            await message.hover()
            await expect(message.locator("time")).to_have_css("opacity", "1")
            await expect(message.locator("time")).to_have_attribute("title", moment)
            notice = ann.page.get_by_role("article").filter(has_text="bob joined")
            await expect(notice).to_have_attribute("title", re.compile(r"20\d\d.*\d\d:\d\d:\d\d"))


async def test_a_channel_is_not_called_empty_while_its_messages_are_on_their_way(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob", "library") as bob:
        await bob.say("a word in the library", "library")
        async with visitor(chromium, line.address, "ann") as ann:
            line.delay = 1
            await ann.page.get_by_role("button", name="library").click()
            await expect(ann.page.locator(".empty")).to_have_text("Loading the messages…")
            await ann.sees("a word in the library")
            await expect(ann.page.locator(".empty")).to_have_count(0)


async def test_the_way_of_each_message_is_told_not_only_of_the_first(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address, "ann") as ann:
        await ann.say("one")
        await ann.sees("one")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        line.cut()
        await expect(ann.page.locator("#state")).not_to_have_attribute("data-state", "live")
        await ann.say("two")
        await expect(ann.page.locator(".pending .way")).to_be_visible()
        await expect(ann.page.locator(".pending .way")).to_have_text("not sent yet")


async def test_a_long_table_scrolls_in_its_own_box(tmp_path: Path, chromium: Browser) -> None:
    async def list_much(ctx: Context) -> None:
        ctx.reply(table(["Number", "Title"], [[number, f"Title {number}"] for number in range(200)], "Much"))

    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await place.service.in_channel("tavern", list_much)
        box = ann.page.get_by_role("group", name="Much")
        await expect(box.get_by_role("row")).to_have_count(201)
        assert await box.evaluate("(box) => box.offsetHeight <= 480 && box.scrollHeight > box.clientHeight")
        await box.focus()
        await ann.page.keyboard.press("End")
        await expect(box.get_by_role("cell", name="Title 199")).to_be_in_viewport()
        await expect(box.get_by_role("columnheader", name="Title")).to_be_in_viewport()
