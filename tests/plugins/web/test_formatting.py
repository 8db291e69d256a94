"""What is read in the Markdown of messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, expect

from mooring.plugins.web.formatting import LONGEST, Formatted, beginning, read
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor


def plainly(parts: tuple[Formatted | str, ...] | None) -> Any:
    """The tree as nested lists: a tag, what it has besides, and what is in it."""

    def one(part: Formatted | str) -> Any:
        if isinstance(part, str):
            return part
        return [part.tag, *filter(None, (part.href, part.language)), *([part.start] if part.start != 1 else []), *map(one, part.children)]

    return None if parts is None else [one(part) for part in parts]


READ: dict[str, Any] = {
    "good evening": None,
    "two\nlines": None,
    "2 < 3, a-b, +1, 5 > 4": [["p", "2 < 3, a-b, +1, 5 > 4"]],
    "**a** *b* `*c*` ~~d~~": [["p", ["strong", "a"], " ", ["em", "b"], " ", ["code", "*c*"], " ", ["s", "d"]]],
    "snake_case_name and 2 * 3 * 4": [["p", "snake_case_name and 2 * 3 * 4"]],
    r"\*not so\*": [["p", "*not so*"]],
    "- a\n- b": [["ul", ["li", ["p", "a"]], ["li", ["p", "b"]]]],
    "3. c\n4. d": [["ol", 3, ["li", ["p", "c"]], ["li", ["p", "d"]]]],
    "> so\n> it is": [["blockquote", ["p", "so"], ["p", "it is"]]],
    "`a`\nb\n\nc": [["p", ["code", "a"]], ["p", "b"], ["p"], ["p", "c"]],
    "```python\n**x** = 1\n```": [["pre", "python", "**x** = 1"]],
    "<b onclick=x>bold</b>": [["p", "<b onclick=x>bold</b>"]],
    "![x](https://example.org/y.png)": [["p", "!", ["a", "https://example.org/y.png", "x"]]],
    "[here](https://example.org)": [["p", ["a", "https://example.org", "here"]]],
    "[https://bank.example](https://example.org)": [["p", ["a", "https://example.org", "https://example.org"]]],
    "[here](javascript:alert(1)) [there](data:text/html,x)": [["p", "[here](javascript:alert(1)) [there](data:text/html,x)"]],
    "<https://example.org> <javascript:alert(1)>": [["p", ["a", "https://example.org", "https://example.org"], " <javascript:alert(1)>"]],
    "# no heading": None,
    "a\n---\n| x | y |": None,
    "&lt;b&gt; &#60;": None,
}


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: str) -> None:
    assert plainly(read(text)) == READ[text]


def test_depth_and_number_of_signs_are_bounded() -> None:
    assert read("[" * LONGEST) is None, "this would take time with the square of their number"
    assert read("**a** " + "x" * LONGEST) is None
    for nest in ("> ", "- ", "*a **b "):
        assert len(msgspec.json.encode(read(nest * 90))) < 10_000


def test_the_beginning_of_a_text_is_what_is_read() -> None:
    assert beginning("a\n" * 30, 20) == "\n".join("a" * 20)
    assert len(beginning("a" * 9_000, 20)) == LONGEST


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
