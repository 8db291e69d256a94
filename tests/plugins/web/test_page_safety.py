"""Hostile texts in every place that shows one. Nothing of them runs, becomes an element or leads anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from mooring import ChannelService, Character, Context, table
from tests.plugins.web.harness import gateway
from tests.plugins.web.payloads import PAYLOADS
from tests.plugins.web.visitor import visitor

pytestmark = pytest.mark.browser

MARKUP = (
    "script:not([src='/app.js']), iframe, object, embed, marquee, math, base, form[action], style, meta[http-equiv], template, video, audio, "
    "foreignObject"
)
FOREIGN = (
    """() => ({
    elements: [...document.querySelectorAll(\""""
    + MARKUP
    + """\")].map((node) => node.outerHTML),
    handlers: [...document.querySelectorAll("*")].filter((node) => [...node.attributes].some(({ name }) => name.startsWith("on"))).length,
    links: [...document.querySelectorAll("a[href], img[src]")].map((node) => node.href || node.src).filter((link) => !/^https?:/.test(link)),
    pictures: [...document.images].map((image) => image.src).filter((source) => !source.startsWith(location.origin + "/")),
    ran: "__pwned" in globalThis,
    look: document.querySelector("#log").offsetHeight > 100,
})"""
)
CLEAN = {"elements": [], "handlers": 0, "links": [], "pictures": [], "ran": False, "look": True}


def test_the_list_is_long_enough() -> None:
    assert len(set(PAYLOADS)) >= 60


async def test_no_text_runs(tmp_path: Path, chromium: Browser) -> None:
    limits = {"limits": {"burst": 10_000}}
    async with gateway(tmp_path, web=limits) as place, place.member("mallory") as mallory, visitor(chromium, place.address, "ann") as ann:
        for number, payload in enumerate(PAYLOADS):
            for line in (payload, f"/hit {payload}", f"/board {payload}"):
                await mallory.say(line)
            await mallory.say(f"end {number}")
            if number % 10 == 9 or number == len(PAYLOADS) - 1:
                await ann.sees(f"end {number}")
                found = await ann.page.evaluate(FOREIGN)
                assert found == CLEAN, payload
        await ann.page.get_by_role("button", name=PAYLOADS[-1]).click()
        await expect(ann.page.get_by_role("dialog")).to_be_visible()
        await ann.page.keyboard.press("Escape")
        await ann.page.reload()
        await ann.sees(f"end {len(PAYLOADS) - 1}")
        assert (await ann.page.evaluate(FOREIGN))["ran"] is False
        # What the policy stops is told on the console; a page that never tries has nothing to be stopped at.
        assert not [each for each in ann.complaints if "Content Security Policy" in each or "Trusted" in each]


async def test_no_name_runs(tmp_path: Path, chromium: Browser) -> None:
    """The gateway takes no such names; the page must not rely on that, for a service may have agents of any name."""
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        service = place.service
        assert isinstance(service, ChannelService)
        for payload in PAYLOADS:
            async with place.connection() as client:
                assert (await client.hello(name=payload))["type"] in {"error", "welcome"}
        people = [
            Character(f"agent-{number}", payload, avatar=payload, description=payload, character_context={"role": payload})
            for number, payload in enumerate(PAYLOADS)
        ]
        await service.send_characters(people, "tavern", None)
        await expect(ann.page.locator("#members li")).to_have_count(len(PAYLOADS))
        await ann.composer.fill("@")
        await expect(ann.suggestions.first).to_be_visible()
        found = await ann.page.evaluate(FOREIGN)
        assert found == CLEAN


async def _show_titles(ctx: Context) -> None:
    ctx.reply(table(["Title", "Path"], [[payload, payload] for payload in PAYLOADS], "Files"))


async def test_a_list_of_titles_from_outside_runs_nothing(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await place.service.in_channel("tavern", _show_titles)
        await expect(ann.page.get_by_role("cell")).to_have_count(2 * len(PAYLOADS))
        found = await ann.page.evaluate(FOREIGN)
        assert found == CLEAN
