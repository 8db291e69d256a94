"""Pictures of any shape can be made out, and open whole."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor

pytestmark = pytest.mark.browser


def png(width: int, height: int) -> bytes:
    """A picture in grey that gets lighter downwards."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([row * 255 // height]) * width for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


SHAPES = {
    (200, 3000): (200, 320),
    (1000, 3000): (420, 320),
    (3000, 200): (420, 160),
    (3000, 40): (420, 40),
    (300, 200): (300, 200),
    (1200, 800): (420, 280),
    (16, 16): (16, 16),
    (10, 3000): (10, 320),
}


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
async def test_no_picture_is_a_sliver_or_leaves_its_place(tmp_path: Path, chromium: Browser, options: dict[str, object]) -> None:
    plugins = [{"name": "sending", "config": {"folder": str(tmp_path)}}]
    async with gateway(tmp_path, plugins=plugins) as place, visitor(chromium, place.address, "ann", **options) as ann:
        for number, ((width, height), wanted) in enumerate(SHAPES.items()):
            (tmp_path / f"{number}.png").write_bytes(png(width, height))
            await ann.say(f"/send {number}.png")
            picture = ann.page.get_by_role("img", name=f"{number}.png")
            await expect(picture).to_be_visible()
            await picture.evaluate("(image) => image.decode()")
            size = tuple(await picture.evaluate("(image) => [image.offsetWidth, image.offsetHeight]"))
            if options:
                room = await ann.log.locator(".content").last.evaluate("(content) => content.clientWidth")
                assert size[0] <= room, (width, height)
                assert min(size) >= min(wanted) * 0.6, (width, height)
            else:
                assert size == wanted, (width, height)
        assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        whole = ann.page.get_by_role("link", name="0.png")
        await expect(whole).to_have_attribute("target", "_blank")
        assert str(await whole.get_attribute("href")).startswith(f"{place.address}files/")
