"""The page about networks is true: its example writes down what is said, once, also over restarts."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.service_for_tests import Driver, running
from tests.waiting_for_tests import eventually

PAGE = Path(__file__).parents[2] / "docs" / "gateways.md"
TEXT = PAGE.read_text("utf-8")
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
(CONFIG,) = re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[Driver]:
    (folder / "log.py").write_text(EXAMPLE)
    log = {"name": "log", "config": {"folder": str(folder / "logs")}}
    async with running(folder, channels=json.loads(CONFIG)["channels"], plugins=["bars", log], plugin_folders=[str(folder)]) as driver:
        yield driver


def written(folder: Path, room: str) -> list[tuple[str, str]]:
    file = folder / "logs" / f"{room}.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(line["from"], line["text"]) for line in lines]


async def test_what_is_said_is_written_down_once_whenever_the_folder_comes(tmp_path: Path) -> None:
    async with service(tmp_path) as driver:
        await driver.join("ann")
        await driver.say("ann", "hello")
    (tmp_path / "logs").mkdir()
    expected = [("", "ann joined"), ("ann", "hello")]
    for _ in range(2):
        async with service(tmp_path):
            await eventually(lambda: written(tmp_path, "evening") == written(tmp_path, "all") == expected)
    assert written(tmp_path, "evening") == written(tmp_path, "all") == expected
