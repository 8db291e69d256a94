"""How the page is laid out: on phones, in tables, and while it loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor

pytestmark = pytest.mark.browser


async def test_a_wide_table_scrolls_in_its_own_box_and_breaks_no_word(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **PHONE) as ann:
        await ann.say("/shelf")
        box = ann.page.locator(".table")
        await expect(box).to_be_visible()
        await box.evaluate("(box) => { for (const cell of box.querySelectorAll('td')) cell.textContent += ' never fetched torrents'; }")
        assert await box.evaluate("(box) => box.scrollWidth > box.clientWidth")
        assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page itself does not"
        lines_of_words = """(box) => [...box.querySelectorAll("td")].flatMap((cell) => [...cell.textContent.matchAll(/\\S+/g)].map((word) => {
            const range = document.createRange();
            const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
            range.setStart(texts.nextNode(), word.index);
            range.setEnd(texts.currentNode, word.index + word[0].length);
            return range.getClientRects().length;
        }))"""
        assert set(await box.evaluate(lines_of_words)) == {1}


async def test_a_change_does_not_hide_the_number_of_its_bar(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/hit @ann 25")
        await ann.sees("ann hits themselves: 25 damage. ann has 75 of 100 health.")
        bars = ann.page.locator(".bar:visible")
        assert await bars.count() == 2, "once, beside the member"
        assert await bars.evaluate_all(
            """(bars) => bars.every((bar) => {
                const [change, number] = ["change", "number"].map((name) => bar.querySelector(`.${name}`).getBoundingClientRect());
                return change.bottom <= number.top + 1;
            })"""
        ), "it stands above"


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
            assert len({url for url in ann.requests if not url.startswith("data:")}) <= 11, "and the WebSocket"


async def test_a_long_message_is_folded_and_opens(tmp_path: Path, chromium: Browser) -> None:
    lines = ["first", *[""] * 15_980, "last"]
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann, place.member("bob") as bob:
        assert (await bob.say("\n".join(lines)))["body"]["ok"]
        assert (await bob.say("x " * 3_000))["body"]["ok"]
        message = ann.log.get_by_role("article", name="bob").first
        await expect(message).to_contain_text("first")
        height = await message.evaluate("node => node.offsetHeight")
        assert height < 800
        assert "last" not in await message.inner_text()
        show = message.get_by_role("button", name="Show all 15,982 lines")
        await expect(show).to_have_attribute("aria-expanded", "false")
        await show.click()
        await expect(message).to_contain_text("last")
        less = message.get_by_role("button", name="Show less")
        await expect(less).to_be_focused()
        await less.click()
        assert await message.evaluate("node => node.offsetHeight") == height
        await ann.log.get_by_role("button", name="Show all of it").click()
        assert not ann.complaints


async def test_a_message_of_some_lines_is_shown_whole(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann, place.member("bob") as bob:
        await bob.say("\n".join(f"line {number}" for number in range(20)))
        await expect(ann.log.get_by_role("article", name="bob").last).to_contain_text("line 19")
        await expect(ann.log.get_by_text("Show")).to_have_count(0)
