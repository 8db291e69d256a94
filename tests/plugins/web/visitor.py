"""People who use the page in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


class Visitor:
    """One person in one browser of their own. Whatever the page complains about is in `complaints`."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("request", lambda request: self.requests.append(request.url))

    async def come(self, name: str) -> None:
        await self.page.goto(self.address)
        await self.page.get_by_label("Your name").fill(name)
        await self.page.keyboard.press("Enter")
        await expect(self.composer).to_be_visible()
        await self.is_connected()

    async def is_connected(self) -> None:
        await expect(self.page.locator("#state")).to_have_attribute("data-state", "live")

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def suggestions(self) -> Locator:
        return self.page.get_by_role("option")

    async def say(self, text: str) -> None:
        await self.composer.fill(text)
        await self.page.keyboard.press("Escape")
        await self.page.keyboard.press("Enter")

    async def sees(self, text: str) -> None:
        await expect(self.log.get_by_text(text, exact=True).first).to_be_visible()

    async def bar(self, member: str, label: str) -> tuple[str | None, str | None]:
        """What the members list says of a bar: its value to screen readers and the number on the screen."""
        row = self.page.locator("#members li", has=self.page.get_by_text(member, exact=True))
        meter = row.get_by_role("meter", name=label)
        number = row.locator(".bar", has_text=label).locator(".number")
        return await meter.get_attribute("aria-valuenow"), await number.text_content()


@asynccontextmanager
async def visitor(browser: Browser, address: str, name: str = "", **options: Any) -> AsyncIterator[Visitor]:
    """Somebody at the page; with a name, already in."""
    context = await browser.new_context(**{**DESKTOP, **options})
    context.set_default_timeout(10_000)
    one = Visitor(await context.new_page(), address)
    if name:
        await one.come(name)
    yield one
    await context.close()
