"""Typing in a real browser: suggestions, what was typed before, and what is not sent yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor

pytestmark = pytest.mark.browser

MANY = ("help", "bars", "showcase", "moderation", "channels")


async def test_all_commands_are_suggested_and_the_list_scrolls(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, plugins=MANY) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.composer.press_sequentially("/")
        await expect(ann.suggestions.filter(has_text="/hit")).to_have_count(1)
        assert await ann.suggestions.count() > 20
        last = ann.suggestions.last
        await ann.page.keyboard.press("ArrowUp")
        await expect(last).to_have_attribute("aria-selected", "true")
        await expect(last).to_be_in_viewport()
        await expect(ann.composer).to_be_in_viewport()


async def test_a_draft_is_there_again_after_a_look_at_what_was_sent(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        for line in ("one", "two"):
            await ann.say(line)
        await ann.composer.fill("half a thought")
        await ann.page.keyboard.press("Home")
        await ann.page.keyboard.press("ArrowUp")
        await expect(ann.composer).to_have_value("two")
        await ann.page.keyboard.press("ArrowUp")
        await expect(ann.composer).to_have_value("one")
        assert "half a thought" in await ann.page.evaluate("Object.values(localStorage)")
        for _ in range(2):
            await ann.page.keyboard.press("End")
            await ann.page.keyboard.press("ArrowDown")
        await expect(ann.composer).to_have_value("half a thought")


async def test_enter_finishes_a_name_and_sends_a_whole_one(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("anna"), place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.composer.press_sequentially("well done @bo")
        await expect(ann.suggestions).to_have_text(["@bob"])
        await ann.page.keyboard.press("Enter")
        await expect(ann.composer).to_have_value("well done @bob ")
        await ann.page.keyboard.press("Enter")
        await bob.until("well done @bob")
        await ann.composer.press_sequentially("thank you @ann")
        await expect(ann.suggestions).to_have_text(["@ann", "@anna"])
        await ann.page.keyboard.press("Enter")
        await bob.until("thank you @ann")


async def test_who_is_here_is_suggested_first(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place:
        for name in ("abe", "bea", "cid"):
            async with place.member(name) as gone:
                await gone.say("hello")
        async with place.member("zoe"), visitor(chromium, place.address, "yan") as yan:
            await yan.composer.press_sequentially("@")
            await expect(yan.suggestions).to_have_text(["@yan", "@zoe", "@abe", "@bea", "@cid"])


async def test_a_finger_that_moves_over_suggestions_picks_none_and_send_keeps_the_keyboard(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, plugins=MANY) as place, visitor(chromium, place.address, "ann", **PHONE) as ann:
        await ann.composer.tap()
        await ann.composer.press_sequentially("/h")
        first = ann.suggestions.first
        await first.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True, "cancelable": True})
        await first.dispatch_event("pointercancel", {"pointerType": "touch", "bubbles": True})
        await expect(ann.composer).to_have_value("/h")
        await first.tap()
        await expect(ann.composer).not_to_have_value("/h")
        await ann.composer.fill("good evening")
        await ann.page.get_by_role("button", name="Send").tap()
        await ann.sees("good evening")
        await expect(ann.composer).to_be_focused()


async def test_a_refusal_quotes_the_command_and_the_arrow_brings_it_back(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/hti @ann 20")
        await ann.say("/hit @nobody")
        for number, line in enumerate(("/hti @ann 20", "/hit @nobody")):
            await expect(ann.log.locator(".error .answers").nth(number)).to_have_text(f"↳ {line}")
            await expect(ann.log.locator(".error .answers").nth(number)).to_be_visible()
        await ann.page.keyboard.press("ArrowUp")
        await expect(ann.composer).to_have_value("/hit @nobody")
