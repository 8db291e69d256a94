"""What the page draws of the texts of messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from mooring.markdown import LONGEST_MARKDOWN
from mooring.plugins.web.formatting import beginning
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor


def test_the_beginning_of_a_text_is_what_is_read() -> None:
    assert beginning("a\n" * 30, 20) == "\n".join("a" * 20)
    assert len(beginning("a" * 9_000, 20)) == LONGEST_MARKDOWN


@pytest.mark.browser
async def test_members_write_markdown(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await bob.say("**Tonight**, @ann:\n\n- *songs*\n- `ale`\n\n> so it was\n\n```python\nx = 1 < 2\n```\n<img src=x>")
        message = ann.log.locator(".said").last
        for tag, text in (("strong", "Tonight"), ("li em", "songs"), ("li code", "ale"), ("blockquote p", "so it was"), ("pre", "x = 1 < 2")):
            await expect(message.locator(tag)).to_have_text(text)
        await expect(message.locator("pre")).to_have_attribute("data-language", "python")
        await expect(message.locator(".to-me")).to_have_text("@ann")
        await expect(message.locator("p").last).to_have_text("<img src=x>")
        await expect(message.locator("img")).to_have_count(0)
        await ann.say("*mine*")
        await expect(ann.log.locator(".said").last.locator("em")).to_have_text("mine")
        assert not ann.complaints
