"""The suite for gateways, over the example of the page about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.mooring.gateways.conformance import GatewayConformance, NetworkInTests

PAGE = Path(__file__).parents[3] / "docs" / "gateways.md"


class Log(NetworkInTests):
    """Files, a room two of them: what was said there, and what people say."""

    here, there = "log/here", "log/there"

    def __init__(self, folder: Path) -> None:
        self._plugins = folder / "plugins_of_the_page"
        self._plugins.mkdir()
        (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        (self._plugins / "log.py").write_text(example)
        self._logs = folder / "logs"
        self._logs.mkdir()

    def config(self) -> dict[str, Any]:
        return {"plugins": [{"name": "log", "config": {"folder": str(self._logs)}}], "plugin_folders": [str(self._plugins)]}

    async def say(self, user: str, text: str, *, event: str, name: str = "") -> None:
        with (self._logs / "here.in").open("a") as file:
            file.write(json.dumps({"id": event, "user": user, "name": name or user, "text": text}) + "\n")

    def shown(self, room: str) -> list[str]:
        file = self._logs / f"{room.removeprefix('log/')}.jsonl"
        whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
        return [json.loads(line)["text"] for line in whole.split("\n") if line]

    @contextmanager
    def away(self) -> Iterator[None]:
        elsewhere = self._logs.with_name("elsewhere")
        self._logs.rename(elsewhere)
        yield
        elsewhere.rename(self._logs)


class TestLog(GatewayConformance):
    @pytest.fixture
    def network(self, tmp_path: Path) -> Log:
        return Log(tmp_path)
