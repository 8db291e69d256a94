"""The list of commands opens plugin by plugin, can be searched and tried, and answers say who asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
async def test_help_is_grouped_searched_and_tried(tmp_path: Path, chromium: Browser, options: dict[str, object]) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **options) as ann:
        await ann.say("/help")
        message = ann.page.get_by_role("article").filter(has=ann.page.get_by_role("searchbox"))
        await expect(message).to_be_in_viewport(ratio=1)
        groups = message.locator("summary")
        await expect(groups.locator("strong")).to_have_text(["bars", "showcase", "help"], use_inner_text=True)
        await groups.first.click()
        await expect(message.get_by_text("/heal target amount")).to_be_visible()
        await message.get_by_role("searchbox").fill("spell")
        await expect(message.locator("details p:visible")).to_have_count(1)
        await expect(groups.locator("visible=true")).to_have_count(1)
        await message.locator("details p:visible").get_by_role("button", name="Try it").click()
        await expect(ann.composer).to_have_value("/cast fireball @ann")
        await expect(ann.composer).to_be_focused()
        assert not ann.complaints


async def test_answers_say_who_asked(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await bob.say("/rest")
        await ann.say("/rest")
        answers = ann.log.locator(".answers:visible")
        await expect(answers).to_have_text(["↳ bob /rest", "↳ ann /rest"])
        await ann.page.reload()
        await expect(answers).to_have_text(["↳ bob /rest", "↳ ann /rest"])
