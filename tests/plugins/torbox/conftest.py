"""What the TorBox tests share: a server, a working directory of their own, and no key from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.plugins.torbox.api_key import KEY_VARIABLE
from mooring.plugins.torbox.database_functions import closeAllDatabases
from mooring.plugins.torbox.pool import SHARED_POOL, Pool, PoolSettings
from tests.plugins.torbox.torbox_server import KEY, TorBoxServer


@pytest.fixture
def server() -> Iterator[TorBoxServer]:
    with TorBoxServer() as server:
        yield server


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return KEY


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORBOX_API_KEY", raising=False)
    monkeypatch.delenv("TORBOX_API_URL", raising=False)
    SHARED_POOL.configure(PoolSettings())  # a service of another folder's tests may have been in this process before
    yield tmp_path
    closeAllDatabases()
    SHARED_POOL.configure(PoolSettings())


@pytest.fixture
def own_pool(tmp_path: Path) -> Iterator[Pool]:
    own = Pool(PoolSettings(tmp_path / "databases"))
    yield own
    own.close_all()
