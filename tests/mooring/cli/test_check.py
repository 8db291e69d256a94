"""`mooring check` finds what would keep a service from starting, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from mooring import ChannelService
from mooring.cli.main import build_app
from tests.shared.ports_for_tests import start_valkey

JSON = {"implementation": "json", "name": "bars", "settings": {"root_dir": "db"}}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(service: Any, *entries: Any) -> Result:
    Path("service.json").write_text(json.dumps(service))
    Path("db.json").write_text(json.dumps(entries))
    return CliRunner().invoke(build_app(ChannelService), ["check", "--config", "service.json", "--db-config", "db.json"])


def test_a_good_place_passes_and_nothing_is_written(tmp_path: Path) -> None:
    result = check({"channels": ["tavern"], "plugins": ["help"]}, JSON)
    assert (result.exit_code, result.output) == (0, "No fault was found: 1 channel(s), the plugins help.\n")
    assert {path.name for path in tmp_path.iterdir()} == {"service.json", "db.json"}


def test_every_fault_of_all_configs_comes_at_once() -> None:
    result = check({"chanels": [], "plugins": ["hlep", {"name": "web", "config": {"prot": 1}}]}, {**JSON, "settings": {"rootdir": "x"}})
    assert result.exit_code == 2
    for part in ("4 faults", "chanels", "hlep", "prot", "rootdir"):
        assert part in result.output


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("")
    result = check({}, {**JSON, "settings": {"root_dir": "db/inner"}})
    assert result.exit_code == 1
    assert f"{tmp_path / 'db' / 'inner'} cannot be a folder: {tmp_path / 'db'} is a file" in result.output


def test_a_plugin_that_would_be_left_out_is_named() -> None:
    result = check({"plugins": [{"name": "nothing", "required": False}]}, JSON)
    assert result.exit_code == 1
    assert "plugin nothing would be left out: there is no plugin of this name" in result.output


@pytest.mark.redis
def test_a_server_is_asked_and_not_written_to(tmp_path: Path) -> None:
    away = {"implementation": "redis", "name": "mana", "settings": {"host": "127.0.0.1", "port": 1, "timeout": 0.2}}
    result = check({}, away)
    assert result.exit_code == 1
    assert "mana: Redis at 127.0.0.1:1 is not available" in result.output
    server = start_valkey(data_dir=tmp_path / "redis")
    try:
        port = int(server.port)
        assert check({}, {**away, "settings": {"host": "127.0.0.1", "port": port}}).exit_code == 0
        with redis.Redis(port=port) as client:
            assert client.dbsize() == 0
    finally:
        server.stop()
