"""A real Chromium for the tests of the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, async_playwright

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def _missing(reason: str) -> None:
    """A machine without a browser may skip; the one that decides about a merge may not."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and this is CI")
    pytest.skip(reason)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium: the machine's own, or playwright's."""
    own = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    async with async_playwright() as playwright:
        if own is None and not Path(playwright.chromium.executable_path).exists():
            _missing("no Chromium is installed (neither the machine's nor playwright's)")
        try:
            browser = await playwright.chromium.launch(executable_path=own, args=QUIET)
        except Error as error:
            _missing(f"Chromium does not start here: {error.message.splitlines()[0]}")
        yield browser
        await browser.close()
