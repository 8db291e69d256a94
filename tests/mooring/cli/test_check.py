"""`mooring check` finds what would keep a service from starting, and writes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from mooring import ChannelService
from mooring.cli.main import build_app
from storage import MoobiusStorage
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


# -- what is in the stores ---------------------------------------------------------------------------------------------------


def stored(**values: Any) -> Path:
    """A closed store with these values in the tavern's bars, and its file."""
    with MoobiusStorage("1", "tavern", [JSON]) as storage:
        storage.bars.update(values)
    return Path("db/service_1/channel_tavern/bars.json")


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.name not in {"service.json", "db.json"}}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data.replace(b'"ann": 80', b'"ann": 81'), "key 'ann' of service_1.channel_tavern.bars: does not match its checksum"),
        (lambda data: b"", "the header is damaged or missing"),
        (lambda data: data[: len(data) // 2], "service_1.channel_tavern.bars: does not match its checksum"),
        (lambda data: data.replace(b'"ann": 80', b'"ann": {"$x":1}'), "ann"),
        (lambda data: data.replace(b'"format":1', b'"format":7'), "service_1.channel_tavern.bars"),
    ],
)
def test_damage_in_a_dict_is_told_and_left_alone(damage: Callable[[bytes], bytes], told: str) -> None:
    file = stored(ann=80, bob=5)
    file.write_bytes(damage(file.read_bytes()))
    before = everything()
    result = check({}, JSON)
    assert result.exit_code == 1
    assert told in result.output
    assert str(file) in result.output
    assert everything() == before


def test_damage_in_the_journal_is_told_and_an_unfinished_commit_is_no_fault() -> None:
    storage = MoobiusStorage("1", "tavern", [JSON])
    storage.bars["ann"] = 80
    storage.bars["bob"] = 5
    (segment,) = Path("db/journal").glob("*.log")
    data = segment.read_bytes()
    segment.write_bytes(data + b"0badc0de {unfinished")
    assert check({}, JSON).exit_code == 0, "beside a process that writes"
    assert "an unfinished commit, which does not count" in check({}, JSON).output
    segment.write_bytes(data.replace(b'"ann",80', b'"ann",99'))
    result = check({}, JSON)
    assert (result.exit_code, "key 'ann' of service_1.channel_tavern.bars: does not match its checksum" in result.output) == (1, True), result.output
    segment.write_bytes(data)
    assert check({}, JSON).exit_code == 0
    storage.close()


def test_a_damaged_key_of_which_the_journal_has_more_is_told_so() -> None:
    file = stored(ann=80, bob=5)
    storage = MoobiusStorage("1", "tavern", [JSON])
    storage.bars["ann"] = 70
    file.write_bytes(file.read_bytes().replace(b'"ann": 80', b'"ann": 81'))
    assert "does not match its checksum; the journal has a newer value" in check({}, JSON).output
    storage.close()


def test_other_files_in_the_folder_are_nobodys_business() -> None:
    file = stored(ann=80)
    (file.parent / "copy of bars.json").write_bytes(file.read_bytes()[:-9])
    Path("db/notes.json").write_text("{")
    Path("db/quarantine").mkdir()
    Path("db/quarantine/old.json").write_text("{")
    assert check({}, JSON).exit_code == 0


def test_migrations_are_tried_without_writing() -> None:
    source = 'from mooring import Store\ncoins = Store("coins", model=int, default=0{})\n'
    source += 'total = Store("total", model=int, default=0, scope="service"{})\n'
    service = {"plugins": ["purse_of_check"], "channels": ["tavern"], "plugin_folders": ["."]}

    def declared(version: str) -> None:
        Path("purse_of_check.py").write_text(source.format(version, version))
        sys.modules.pop("purse_of_check", None)

    for name, variant in {"tavern": "", "purse_of_check.total": "store"}.items():
        dict_name = "purse_of_check.total" if variant else "purse_of_check.coins"
        with MoobiusStorage("1", name, [JSON], variant=variant) as storage:
            storage.declare(dict_name)["ann"] = 3
            storage.system("versions")[dict_name] = 1
    declared(", version=2, steps={1: lambda coins: coins * 10}")
    before = everything()
    result = check(service, JSON)
    assert result.exit_code == 0, result.output
    assert "purse_of_check.coins of channel_tavern: 1 values would be migrated from version 1 to 2" in result.output
    assert "purse_of_check.total of all channels: 1 values would be migrated" in result.output
    declared(", version=2, steps={1: lambda coins: str(coins)}")
    result = check(service, JSON)
    assert (result.exit_code, "coins of channel_tavern: ['ann']" in result.output) == (1, True), result.output
    assert everything().keys() - before.keys() == set()
