"""What an operator gives the page: a name, a picture, colours, and a welcome with something to try."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from pydantic import ValidationError

from mooring.plugins.web.club import Club
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor


def picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress((b"\0" + b"\x40" * 8) * 8)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"accent": "#ffee00"}, "too light"),
        ({"side": "#eeeeee"}, "too light"),
        ({"accent": "red; } body { display: none"}, "is no colour"),
        ({"name": ""}, "at least 1"),
        ({"picture": "page.svg"}, "none of .png"),
        ({"picture": "nowhere.png"}, "there is no file"),
        ({"colour": "#000000"}, "Extra inputs"),
    ],
)
def test_what_cannot_be_shown_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Club(**given)


def test_a_picture_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(1_000_001))
    with pytest.raises(ValidationError, match="more than 1000000 bytes"):
        Club(picture=tmp_path / "large.png")


@pytest.mark.browser
@pytest.mark.parametrize("options", [{}, {**PHONE, "color_scheme": "dark"}], ids=["desktop", "phone"])
async def test_the_page_is_the_clubs(tmp_path: Path, chromium: Browser, options: dict[str, Any]) -> None:
    (tmp_path / "club.png").write_bytes(picture())
    club = {"name": "Harbour <b>& Sons</b>", "picture": str(tmp_path / "club.png"), "accent": "#7a2e8c", "side": "#2b1035"}
    channels = [{"id": "tavern", "welcome": "**Welcome!** Have a look around.", "tries": ["/rest", "/help"]}, "library"]
    async with gateway(tmp_path, web={"club": club}, channels=channels) as place, visitor(chromium, place.address, **options) as ann:
        await ann.page.goto(place.address)
        await expect(ann.page.locator(".enter .brand")).to_have_text(club["name"])
        await expect(ann.page).to_have_title(club["name"])
        await ann.come("ann")
        await expect(ann.page).to_have_title(f"tavern · {club['name']}")
        mark = ann.page.locator(".side img.mark")
        assert await mark.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 8
        assert await ann.page.locator("#channels").evaluate("(side) => getComputedStyle(side).backgroundColor") == "rgb(43, 16, 53)"
        welcome = ann.page.get_by_role("article").filter(has_text="Have a look around.")
        await expect(welcome.locator("strong")).to_have_text("Welcome!")
        await expect(welcome.locator(".name")).to_have_text(club["name"])
        await expect(welcome.get_by_role("button")).to_have_text(["/rest", "/help"])
        await welcome.get_by_role("button", name="/rest").click()
        await expect(ann.composer).to_have_value("/rest")
        await ann.page.keyboard.press("Enter")
        await ann.sees("ann rests. ann has 100 of 100 health and 100 of 100 mana.")
        assert not ann.complaints
