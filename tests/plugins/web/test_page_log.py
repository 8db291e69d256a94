"""The log of messages in a real browser: long evenings, reading back, and what comes late."""

from __future__ import annotations

import asyncio
import struct
import zlib
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from tests.plugins.web.harness import Client, gateway
from tests.plugins.web.visitor import Visitor, visitor

pytestmark = pytest.mark.browser

ROOMY = {"limits": {"burst": 10_000, "frames_per_second": 10_000, "in_flight": 10_000}}


async def talk(client: Client, words: range) -> None:
    requests = [await client.send("message_up", {"channel_id": "tavern", "content": {"text": f"word {number}"}}) for number in words]
    for request in requests:
        await client.answer(request)


def picture(width: int, height: int) -> bytes:
    """A black PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def top_of(one: Visitor, text: str) -> float:
    box = await one.log.get_by_text(text, exact=True).bounding_box()
    assert box is not None
    return box["y"]


async def test_a_long_evening_keeps_few_messages_in_the_page_and_the_rest_comes_back(tmp_path: Path, chromium: Browser) -> None:
    kept = {"history_length": 1_000}
    async with gateway(tmp_path, web=ROOMY, limits=kept) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await talk(bob, range(900))
        await ann.sees("word 899")
        assert await ann.log.get_by_role("article").count() <= 400
        await expect(ann.log.get_by_text("word 899", exact=True)).to_be_in_viewport()
        async with asyncio.timeout(60):
            while not await ann.log.get_by_text("word 0", exact=True).count():
                await ann.log.evaluate("(log) => { log.scrollTop = 0; }")
                await asyncio.sleep(0.05)
        words = await ann.log.locator(".said").all_text_contents()
        assert words == [f"word {number}" for number in range(900)]
        assert await ann.log.get_by_role("separator").count() == 1
        await ann.page.get_by_role("button", name="Newest").click()
        await talk(bob, range(900, 902))
        await expect(ann.log.get_by_text("word 901", exact=True)).to_be_in_viewport()
        assert await ann.log.get_by_role("article").count() <= 400
        assert not ann.complaints


async def test_who_reads_back_is_left_alone(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, web=ROOMY) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await talk(bob, range(100))
        await ann.sees("word 99")
        await ann.log.get_by_text("word 50", exact=True).scroll_into_view_if_needed()
        before = await top_of(ann, "word 50")
        await talk(bob, range(100, 600))
        await expect(ann.page.get_by_role("button", name="500 new")).to_be_visible()
        assert await top_of(ann, "word 50") == before


async def test_the_reading_place_is_kept_while_another_channel_is_looked_at(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, web=ROOMY) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await talk(bob, range(100))
        await ann.sees("word 99")
        await ann.log.get_by_text("word 50", exact=True).scroll_into_view_if_needed()
        before = await top_of(ann, "word 50")
        await ann.page.get_by_role("button", name="library").click()
        await expect(ann.log.get_by_text("word 50", exact=True)).to_have_count(0)
        await talk(bob, range(100, 110))
        await ann.page.get_by_role("button", name="tavern").click()
        await expect(ann.log.get_by_text("word 109", exact=True)).to_have_count(1)
        assert abs(await top_of(ann, "word 50") - before) < 2
        await ann.page.get_by_role("button", name="Newest").click()
        await ann.page.get_by_role("button", name="library").click()
        await ann.page.get_by_role("button", name="tavern").click()
        await expect(ann.log.get_by_text("word 109", exact=True)).to_be_in_viewport()


async def test_a_picture_that_comes_late_does_not_push_the_newest_away(tmp_path: Path, chromium: Browser) -> None:
    (tmp_path / "map.png").write_bytes(picture(400, 300))
    arrived = asyncio.Event()

    async def late(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    plugins = ["showcase", {"name": "sending", "config": {"folder": str(tmp_path)}}]
    async with gateway(tmp_path, web=ROOMY, plugins=plugins) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.route("**/files/**", late)
        await talk(bob, range(40))
        await bob.say("/send map.png")
        await talk(bob, range(40, 42))
        await expect(ann.log.get_by_text("word 41", exact=True).last).to_be_in_viewport()
        arrived.set()
        async with asyncio.timeout(30):
            while not await ann.log.locator("img").evaluate_all("(all) => all.every((each) => each.complete && each.naturalHeight)"):
                await asyncio.sleep(0.05)
        await expect(ann.log.get_by_text("word 41", exact=True).last).to_be_in_viewport(ratio=1)
        assert await ann.log.evaluate("(log) => log.scrollHeight - log.scrollTop - log.clientHeight") < 2


async def test_comings_and_goings_are_folded_and_no_news(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, web=ROOMY) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await bob.say("good evening")
        await ann.sees("good evening")
        await ann.page.get_by_role("button", name="library").click()
        for number in range(12):
            async with place.member(f"guest{number}") as guest:
                if number > 9:
                    await guest.ask("leave", {"channel_id": "tavern"})
        await expect(ann.page.get_by_role("img", name="unread")).to_have_count(0)
        await ann.page.get_by_role("button", name="tavern").click()
        await ann.sees("12 joined, guest10 and guest11 left")
        assert await ann.log.locator(".notice:visible").count() == 3, "two who joined before somebody spoke, and all who did after"
        for name in ("olga", "paul"):
            async with place.member(name):
                pass
        await ann.sees("14 joined, guest10 and guest11 left")
        await bob.say("so many")
        async with place.member("rosa"):
            await ann.sees("rosa joined")
        assert not ann.complaints


async def test_a_message_that_was_refused_can_be_discarded_however_much_came_since(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, web=ROOMY) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.composer.fill("\x01" * 16_000)  # each takes six letters in a frame
        await ann.page.keyboard.press("Enter")
        discard = ann.log.get_by_role("button", name="Discard")
        await expect(discard).to_have_count(1)
        await talk(bob, range(900))
        await expect(ann.log.get_by_text("word 899", exact=True)).to_have_count(1)
        await expect(discard).to_have_count(1)
        await discard.click()
        await expect(discard).to_have_count(0)
        assert await ann.log.get_by_role("separator").count() == 1


async def test_a_picture_has_its_room_before_it_is_there(tmp_path: Path, chromium: Browser) -> None:
    (tmp_path / "map.png").write_bytes(picture(400, 300))
    arrived = asyncio.Event()

    async def late(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    plugins = [{"name": "sending", "config": {"folder": str(tmp_path)}}]
    async with gateway(tmp_path, plugins=plugins) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.route("**/files/**", late)
        await bob.say("/send map.png")
        image = ann.page.get_by_role("img", name="map.png")
        size, height = "(image) => [image.offsetWidth, image.offsetHeight]", "(log) => log.scrollHeight"
        await expect(image).to_have_count(1)
        before = await ann.log.evaluate(height)
        assert await image.evaluate(size) == [400, 300]
        arrived.set()
        await image.evaluate("(image) => image.decode()")
        assert await image.evaluate(size) == [400, 300]
        assert await ann.log.evaluate(height) == before


async def test_what_is_new_stands_below_a_line(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, web=ROOMY) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        line = ann.log.get_by_role("separator").filter(has_text="New")
        await bob.say("seen")
        await ann.sees("seen")
        await ann.page.get_by_role("button", name="library").click()
        await bob.say("not seen")
        await bob.say("neither")
        await expect(ann.page.get_by_role("img", name="2 unread")).to_be_visible()
        await expect(line).to_have_count(0)
        await ann.page.get_by_role("button", name="tavern").click()
        await expect(line).to_have_count(1)
        below = await line.evaluate("(line) => line.nextElementSibling.querySelector('.said').textContent")
        assert below == "not seen"
        await bob.say("while she looks")
        await ann.sees("while she looks")
        await expect(line).to_have_count(1)
        await ann.page.get_by_role("button", name="library").click()
        await ann.page.get_by_role("button", name="tavern").click()
        await ann.page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
        await bob.say("while she was elsewhere")
        await ann.sees("while she was elsewhere")
        await ann.page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
        await expect(line).to_have_count(1)
        assert await line.evaluate("(line) => line.nextElementSibling.querySelector('.said').textContent") == "while she was elsewhere"
        assert not ann.complaints
