"""The page for those who do not see it, or have no mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor

pytestmark = pytest.mark.browser


BEHIND_A_DRAWER = ("landmark-one-main", "page-has-heading-one")
"""Rules about what cannot be used while a drawer is open."""


async def violations(page: Page, axe: str, but: tuple[str, ...] = ()) -> list[str]:
    await page.evaluate(axe)
    await page.evaluate("() => Promise.all(document.getAnimations().map((each) => each.finished.catch(() => null)))")
    found: list[dict[str, Any]] = await page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found
        if each["id"] not in but
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
async def test_axe_finds_nothing(tmp_path: Path, chromium: Browser, axe: str, scheme: str, device: str) -> None:
    options: dict[str, Any] = {"color_scheme": scheme, **(PHONE if device == "phone" else {})}
    async with gateway(tmp_path) as place, visitor(chromium, place.address, **options) as ann:
        await ann.page.goto(place.address)
        assert await violations(ann.page, axe) == []
        await ann.come("ann")
        async with place.member("bob", "tavern") as bob:
            for line in ("Hello @ann", "/hit @ann 20", "/shelf", "/poster", "/brew 3", "/offer", "/sketch", "/help"):
                await bob.say(line)
                await ann.say(line)
        await ann.say("/hit")
        await ann.say("/tell quietly")
        await ann.sees("quietly")
        assert await violations(ann.page, axe) == []
        await ann.composer.fill("/hi")
        await expect(ann.suggestions.first).to_be_visible()
        assert await violations(ann.page, axe) == []
        await ann.composer.fill("")
        if device == "phone":
            for button in ("Show members and canvas", "Show the channels"):
                await ann.page.get_by_role("button", name=button).tap()
                assert await violations(ann.page, axe, BEHIND_A_DRAWER) == []
                await ann.page.keyboard.press("Escape")
        await ann.page.get_by_role("button", name="Call a round").click()
        assert await violations(ann.page, axe) == []


async def test_everything_can_be_reached_by_keyboard(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/offer")
        await ann.say("hello")
        await ann.sees("hello")
        reached = set()
        for _ in range(40):
            await ann.page.keyboard.press("Tab")
            reached.add(
                await ann.page.evaluate(
                    "() => document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
                )
            )
        assert {"#tavern", "#libraryjoin", "text", "Wave", "Call a round", "Actions for the message of ann"} <= reached


async def test_a_screen_reader_hears_each_message_once(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(
            """() => {
                const log = document.querySelector("#log");
                globalThis.heard = [];
                const hear = (node) => { if (!log.hasAttribute("aria-busy")) heard.push(node.textContent); };
                new MutationObserver((changes) => changes.flatMap((each) => [...each.addedNodes]).forEach(hear)).observe(log, { childList: true });
            }"""
        )
        await bob.say("one")
        await bob.say("/brew 3")
        await bob.say("two")
        await ann.sees("two")
        heard = await ann.page.evaluate("heard")
        assert [sum(word in each for each in heard) for word in ("one", "two")] == [1, 1]
        assert await ann.page.evaluate("document.querySelector('#log').getAttribute('aria-busy')") is None
        await expect(ann.page.locator("#state")).to_have_attribute("role", "status")


async def test_motion_stops_for_those_who_do_not_want_it(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", reduced_motion="reduce") as ann:
        await ann.say("/hit @ann 20")
        await ann.sees("ann hits themselves: 20 damage. ann has 80 of 100 health.")
        assert await ann.page.evaluate("document.getAnimations().length") == 0
