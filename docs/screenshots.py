"""Takes the pictures of the README and the docs from a running service: `python -m docs.screenshots` writes docs/images.

Everything in them is real: the shipped configs, a service process, members in browsers, and a local server that answers as
TorBox does.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.plugins.torbox.torbox_server import KEY, TorBoxServer, make_item
from tests.plugins.web.visitor import DESKTOP, PHONE, Visitor, visitor
from tests.process_for_tests import ROOT, start

IMAGES = Path(__file__).parent / "images"
FILMS = [
    "Nosferatu.1922.1080p.BluRay.x264-GRP",
    "Safety.Last.1923.720p.BluRay.x264-GRP",
    "Sherlock.Jr.1924.1080p.WEB-DL.x264-GRP",
    "The.General.1926.1080p.BluRay.x264-GRP",
    "Metropolis.1927.2160p.WEB-DL.x265-GRP",
    "Steamboat.Bill.Jr.1928.1080p.WEB-DL.x264-GRP",
]


async def main() -> None:
    """Take them all."""
    IMAGES.mkdir(exist_ok=True)
    with TorBoxServer() as torbox, tempfile.TemporaryDirectory() as folder:
        torbox.items["torrents"] = [make_item(700 + 61 * number, 1, name) for number, name in enumerate(FILMS)]
        configs = ["--config", str(ROOT / "config/service.json"), "--db-config", str(ROOT / "config/db_config.json")]
        process = await start(Path(folder), *configs, TORBOX_API_URL=torbox.url, TORBOX_API_KEY=KEY)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
            await _visit(browser, process.address)
            await browser.close()
        await process.end()


async def _visit(browser: Browser, address: str) -> None:
    async with (
        visitor(browser, address, "ann", color_scheme="light") as ann,
        visitor(browser, address, "bob", **PHONE, color_scheme="dark") as bob,
        visitor(browser, address, "carla") as carla,
    ):
        await _evening(ann, bob, carla)
        await _take(ann, "tavern")
        await _take(bob, "phone")
        await bob.page.get_by_role("button", name="Show members and canvas").tap()
        await _take(bob, "phone-members")
        await bob.page.keyboard.press("Escape")
        await ann.page.emulate_media(color_scheme="dark")
        await ann.composer.fill("/cast fireball @")
        await _take(ann, "completion-dark")
        await ann.composer.fill("")
        await ann.page.emulate_media(color_scheme="light")
        await ann.page.get_by_role("button", name="The Library").click()
        for line in ("/torbox sync torrents", "/torbox list torrents"):
            await ann.say(line)
            await ann.page.wait_for_timeout(1_500)
        await _take(ann, "library")


async def _evening(ann: Visitor, bob: Visitor, carla: Visitor) -> None:
    for who, line in (
        (ann, "Evening, everybody. Is the fire still burning?"),
        (ann, "I brought two bottles of the good cider."),
        (bob, "It is! Come in and sit down, @ann"),
        (carla, "Careful, he is in a mood for duels."),
        (bob, "/hit @ann 20"),
        (ann, "/cast fireball @bob"),
        (carla, "/heal @ann 5"),
        (ann, "/hti @bob"),
        (bob, "Fine, fine. A truce?"),
    ):
        await who.say(line)
        await who.page.wait_for_timeout(300)


async def _take(who: Visitor, name: str) -> None:
    await who.page.wait_for_timeout(2_200)  # until the numbers that float over the bars are gone
    await who.page.mouse.move(0, 0)
    await who.page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    assert DESKTOP["viewport"] == {"width": 1280, "height": 800}
    asyncio.run(main())
