"""Buttons and menus of the page tell that they were used, and twice is once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.cable import cable
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor

pytestmark = pytest.mark.browser

PRESSED = "ann pressed wave (no): nothing"


async def test_a_button_that_waits_for_its_answer_says_so_and_is_pressed_once(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        wave = ann.page.get_by_role("button", name="Wave")
        await bob.send("message_up", {"channel_id": "tavern", "content": {"text": "/nap 2"}})
        await wave.click()
        await expect(wave).to_have_attribute("aria-disabled", "true")
        await expect(wave).to_be_focused()
        for _ in range(5):
            await wave.click(force=True)
        await ann.page.keyboard.press("Enter")
        await ann.sees(PRESSED)
        await expect(ann.page.get_by_role("status").filter(has_text="Wave: done")).to_be_visible()
        await expect(wave).to_have_attribute("aria-disabled", "false")
        await ann.say("the end")
        await ann.sees("the end")
        await expect(ann.log.get_by_text(PRESSED)).to_have_count(1)


async def test_a_double_click_presses_once_and_a_later_one_again(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        wave = ann.page.get_by_role("button", name="Wave")
        await wave.evaluate("(button) => { button.click(); button.click(); }")
        await wave.evaluate("(button) => { button.click(); }")
        await ann.say("between")
        await ann.sees("between")
        await expect(ann.log.get_by_text(PRESSED)).to_have_count(1)
        await ann.page.wait_for_function("(since) => Date.now() > since + 600", arg=await ann.page.evaluate("Date.now()"))
        await wave.click()
        await expect(ann.log.get_by_text(PRESSED)).to_have_count(2)


async def test_a_button_pressed_without_a_connection_says_so_and_is_done_later(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address, "ann") as ann:
        line.cut()
        await expect(ann.page.locator("#state")).not_to_have_attribute("data-state", "live")
        await ann.page.get_by_role("button", name="Wave").dblclick()
        await expect(ann.page.get_by_role("status").filter(has_text="Wave: not sent yet")).to_be_visible()
        line.plugged = True
        await ann.sees(PRESSED)
        await expect(ann.log.get_by_text(PRESSED)).to_have_count(1)


async def test_a_menu_item_tells_that_it_was_chosen(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.say("/offer")
        await ann.say("quote me")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        message = ann.page.get_by_role("article").filter(has_text="quote me")
        await message.hover()
        await message.get_by_role("button", name=re.compile("Actions")).click()
        await ann.page.get_by_role("menuitem", name="Quote").click()
        await expect(ann.page.get_by_role("status").filter(has_text="Quote: done")).to_be_visible()
