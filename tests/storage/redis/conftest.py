"""Servers for the whole run; a test that stops, floods or limits one starts its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shared.cluster_for_tests import Cluster
from tests.shared.servers_for_tests import KINDS, Server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three primaries that keep what they have when they are killed. A test that kills some brings them back."""
    with Cluster(tmp_path_factory.mktemp("cluster"), "--appendonly", "yes", replicas=False) as started:
        yield started


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the test's own, once Valkey and once Redis 7."""
    with Server(tmp_path_factory.mktemp("server"), kind=request.param) as started:
        yield started


@pytest.fixture(scope="session", params=KINDS)
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that keep to channels of their own, once Valkey and once Redis 7."""
    with Server(tmp_path_factory.mktemp("shared"), kind=request.param) as started:
        yield started
