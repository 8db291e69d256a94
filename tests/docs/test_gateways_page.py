"""The page about networks is true: its example writes down what is said and takes in what people append, once, also over restarts."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mooring import Room
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


def append(folder: Path, room: str, *lines: tuple[str, str, str]) -> None:
    """People say something there; each line is an event's id, a user and a text."""
    with (folder / "logs" / f"{room}.in").open("a") as file:
        file.writelines(json.dumps({"id": key, "user": user, "name": user, "text": text}) + "\n" for key, user, text in lines)


async def test_what_people_append_is_said_once_in_the_channel_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    append(tmp_path, "evening", ("1", "bob", "one"), ("2", "bob", "two"), ("1", "bob", "one"))
    expected = [("", "bob joined"), ("bob", "one"), ("bob", "two")]
    async with service(tmp_path):
        await eventually(lambda: written(tmp_path, "all") == expected)
    append(tmp_path, "evening", ("3", "bob", "three"))
    async with service(tmp_path) as driver:
        await eventually(lambda: written(tmp_path, "all") == [*expected, ("bob", "three")])
        size = (tmp_path / "logs" / "evening.in").stat().st_size
        assert driver.service.read_mark(Room("log", "evening")) == str(size)
    assert written(tmp_path, "evening") == [("", "bob joined")], "what was said there is not said there again"


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
