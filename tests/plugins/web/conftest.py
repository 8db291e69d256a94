"""A real Chromium for the tests of the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.async_api import Browser, Error, async_playwright

TESTS = Path(__file__).parents[2]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def missing(reason: str) -> NoReturn:
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
            missing("no Chromium is installed (neither the machine's nor playwright's)")
        try:
            browser = await playwright.chromium.launch(executable_path=own, args=QUIET)
        except Error as error:
            missing(f"Chromium does not start here: {error.message.splitlines()[0]}")
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which npm fetches once into tests/node_modules."""
    wanted = json.loads((TESTS / "package.json").read_text())["devDependencies"]["axe-core"]
    package = TESTS / "node_modules" / "axe-core"
    if not package.exists() or json.loads((package / "package.json").read_text())["version"] != wanted:
        npm = shutil.which("npm")
        if npm is None:
            missing("npm is not installed, so axe-core cannot be fetched")
        command = [str(npm), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--package-lock=false"]
        done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            missing(f"npm could not fetch axe-core: {done.stderr.strip().splitlines()[-1:]}")
    return (package / "axe.min.js").read_text()
