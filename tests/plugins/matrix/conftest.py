"""One homeserver for all tests of the gateway to Matrix that run in one process."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.plugins.matrix.synapse import Synapse, started


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    server = started(tmp_path_factory.mktemp("synapse"))
    yield server
    server.stop(signal.SIGKILL)
    server.client.close()
