"""The members list of the page: bars once, and crowds of which it knows only the beginning."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from mooring import Acknowledgement, Character, Context, SimpleAction, UpEvent
from tests.plugins.web.harness import Gateway, gateway
from tests.plugins.web.visitor import DESKTOP, PHONE, Visitor, visitor

pytestmark = pytest.mark.browser

NARROW = {"viewport": {"width": 900, "height": 800}}
CROWD = [f"crowd-{number:03}" for number in range(150)]


async def gather(place: Gateway, names: Iterable[str]) -> None:
    """Let people in who have no browser; they are here."""

    def join(name: str) -> asyncio.Future[Acknowledgement]:
        return place.service.enqueue(UpEvent("join", f"join-{name}", "tavern", name, SimpleAction("join", "tavern", name, {"name": name})))

    await asyncio.gather(*map(join, names))


def health(one: Visitor, member: str) -> Any:
    row = one.page.locator("#members li", has=one.page.get_by_text(member, exact=True))
    return row.get_by_role("meter", name="Health")


async def test_each_bar_is_drawn_once_and_the_channels_own_comes_first(tmp_path: Path, chromium: Browser) -> None:
    async def summon(ctx: Context) -> None:
        bar = ctx.bar("boss")
        bar.set_maximum(1000)
        bar.value = 1000

    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await place.service.in_channel("tavern", summon)
        rows = ann.page.locator("#members li")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_have_text(re.compile("^The dragon1000/1000"))
        await expect(ann.page.get_by_role("meter", name="Health")).to_have_count(1)
        await expect(ann.page.locator("#count")).to_have_text("1")
        await expect(ann.page.locator("#canvas-part")).to_be_hidden()
        await ann.say("/boss hit 20")
        await expect(rows.first.get_by_role("meter")).to_have_attribute("aria-valuetext", "980 of 1000")
        assert ann.complaints == []


@pytest.mark.parametrize("view", [DESKTOP, NARROW, PHONE], ids=["desktop", "narrow", "phone"])
async def test_many_bars_of_large_numbers_find_room_in_any_view(tmp_path: Path, chromium: Browser, view: dict[str, Any]) -> None:
    bars = [{"name": f"bar{number}", "label": f"A rather long label {number}", "value": 12_345, "maximum": 99_999} for number in range(5)]
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **view) as ann:
        if view is not DESKTOP:
            await expect(ann.page.locator("#mine").get_by_role("meter", name="Health")).to_be_visible()
            await ann.page.get_by_role("button", name="Show members and canvas").click()
        await place.service.send_characters([Character("x", "Xaver", character_context={"online": True, "bars": bars})], "tavern")
        meters = ann.page.locator("#members").get_by_role("meter")
        await expect(meters).to_have_count(5)
        await meters.last.scroll_into_view_if_needed()
        await expect(meters.last).to_be_in_viewport()
        sizes = await ann.page.locator("#members .bar").evaluate_all(
            """(bars) => bars.map((bar) => {
                const parts = [bar, bar.querySelector(".label"), bar.querySelector(".number")];
                const [all, label, number] = parts.map((each) => each.getBoundingClientRect());
                return [all.width, label.right <= number.left && number.right <= all.right + 1];
            })"""
        )
        assert all(width >= 90 and is_apart for width, is_apart in sizes), sizes
        assert await ann.page.locator("#people").evaluate("(people) => people.scrollWidth <= people.clientWidth")


async def test_a_bar_that_fills_up_by_itself_does_so_on_the_page(tmp_path: Path, chromium: Browser) -> None:
    regaining = {"name": "bars", "config": {"health": {"regain_per_minute": 240}}}
    async with gateway(tmp_path, plugins=["help", regaining, "showcase"]) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/hit @ann 20")
        await ann.sees("ann hits themselves: 20 damage. ann has 80 of 100 health.")
        await expect(health(ann, "ann")).to_have_attribute("aria-valuetext", re.compile("^9[0-9] of 100"))
        await expect(health(ann, "ann")).to_have_attribute("aria-valuetext", "100 of 100")
        await expect(ann.log.get_by_role("article")).to_have_count(2)


async def test_the_rest_of_a_crowd_is_there_for_who_asks(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place:
        await gather(place, CROWD)
        for name in CROWD[:20]:
            place.service.presence("tavern", name, False)
        async with visitor(chromium, place.address, "ann") as ann:
            rows, more = ann.page.locator("#members li"), ann.page.locator("#more-members")
            await expect(ann.page.locator("#count")).to_have_text("131 of 151 here")
            await expect(rows).to_have_count(100)
            await expect(rows.first).to_contain_text("ann")
            await expect(rows.filter(has_text="crowd-149")).to_have_count(0)
            await expect(more).to_have_text("Show more (51)")
            await more.press("Enter")
            await expect(rows).to_have_count(151)
            await expect(rows.last).to_contain_text("crowd-019away")
            await expect(more).to_be_hidden()
            await ann.say("/hit @crowd-149 20")
            await expect(health(ann, "crowd-149")).to_have_attribute("aria-valuetext", "80 of 100")
            await gather(place, ["zoe"])
            place.service.presence("tavern", "crowd-019", True)
            await expect(ann.page.locator("#count")).to_have_text("133 of 152 here")
            assert ann.complaints == []


async def test_names_in_a_crowd_are_completed_although_they_were_never_seen(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place:
        await gather(place, CROWD)
        async with visitor(chromium, place.address, "ann") as ann:
            await ann.page.keyboard.type("/hit @crowd-14")
            await expect(ann.suggestions).to_have_text([f"@crowd-{number}" for number in range(140, 148)])
            await ann.page.keyboard.type("9 5")
            await ann.page.keyboard.press("Enter")
            await ann.sees("ann hits crowd-149: 5 damage. crowd-149 has 95 of 100 health.")


async def test_whoever_looks_stays_in_sight_when_a_crowd_is_shown_anew(tmp_path: Path, chromium: Browser) -> None:
    async def storm(ctx: Context) -> None:
        for member in ctx.channel.members:
            ctx.bar("health", member).lose(10)

    async with gateway(tmp_path) as place:
        await gather(place, CROWD)
        async with visitor(chromium, place.address, "ann", **PHONE) as ann:
            await ann.page.get_by_role("button", name="Show members and canvas").tap()
            await expect(health(ann, "ann")).to_have_attribute("aria-valuetext", "100 of 100")
            await place.service.in_channel("tavern", storm)
            await expect(health(ann, "crowd-000")).to_have_attribute("aria-valuetext", "90 of 100")
            await expect(health(ann, "ann")).to_have_attribute("aria-valuetext", "90 of 100")
            await expect(ann.page.locator("#mine").get_by_role("meter", name="Health")).to_have_attribute("aria-valuetext", "90 of 100")
