"""The engines over which the test kit runs a bot, and what a crash leaves of each."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class EngineUnderTest(Protocol):
    """How the test kit sets up one engine."""

    def entries(self, names: Sequence[str], folder: Path) -> list[dict[str, Any]]:
        """The db config for these dicts."""

    def service_id(self) -> str:
        """An id that no other bot of this engine has."""

    def image(self, folder: Path) -> Path:
        """Where a service started now would find what a process that died now had written."""


class JsonEngine:
    """JSON files below the test's own folder."""

    def entries(self, names: Sequence[str], folder: Path) -> list[dict[str, Any]]:
        return [{"implementation": "json", "name": name, "settings": {"root_dir": str(folder)}} for name in names]

    def service_id(self) -> str:
        return "test"

    def image(self, folder: Path) -> Path:
        # The store of this process stays open until the bot is closed, so a crash goes on in a copy of its files.
        copy = folder.with_name(f"{folder.name}_{uuid.uuid4().hex[:8]}")
        shutil.copytree(folder, copy)
        return copy


class RedisEngine:
    """A server that the test started."""

    def __init__(self, port: int) -> None:
        self._port = port

    def entries(self, names: Sequence[str], folder: Path) -> list[dict[str, Any]]:
        return [{"implementation": "redis", "name": name, "settings": {"port": self._port}} for name in names]

    def service_id(self) -> str:
        return uuid.uuid4().hex

    def image(self, folder: Path) -> Path:
        return folder
