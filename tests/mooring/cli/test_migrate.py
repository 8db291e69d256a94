"""`mooring migrate` with real engines on both sides."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mooring import ChannelService
from mooring.bots.loading import load_plugin
from mooring.bots.shared_stores import SharedStores
from mooring.bots.stores import StoreValues
from mooring.cli.main import build_app
from mooring.config import PluginEntry
from storage import CachedDict, MoobiusStorage
from tests.process_for_tests import start, write_configs
from tests.shared.ports_for_tests import start_valkey

pytestmark = pytest.mark.redis
Migrate = Callable[..., Result]


@pytest.fixture(scope="module")
def port() -> Any:
    server = start_valkey()
    yield int(server.port)
    server.terminate()


@pytest.fixture
def configs(tmp_path: Path, port: int) -> dict[str, list[dict[str, Any]]]:
    def entries(settings: dict[str, Any], word: str) -> list[dict[str, Any]]:
        return [{"implementation": word, "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]

    return {
        "json": entries({"root_dir": str(tmp_path / "json")}, "json"),
        "other": entries({"root_dir": str(tmp_path / "other")}, "json"),
        "redis": entries({"host": "127.0.0.1", "port": port}, "redis"),
    }


@pytest.fixture
def migrate(tmp_path: Path, configs: dict[str, Any]) -> Migrate:
    (tmp_path / "service.json").write_text(json.dumps({"channels": ["tavern", "a.b/C"], "plugins": [], "service_id": tmp_path.name}))
    for name, config in configs.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(config))

    def call(source: str, target: str, *options: str, asked: str = "y\n") -> Result:
        line = ["migrate", "--from", str(tmp_path / f"{source}.json"), "--to", str(tmp_path / f"{target}.json")]
        return CliRunner().invoke(build_app(ChannelService), [*line, "--config", str(tmp_path / "service.json"), *options], input=asked)

    return call


def fill(tmp_path: Path, config: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    values: dict[str, Any] = {"ann": 80, "{": {"deep": [1, {2, 3}, 10**40]}, "\ud800": b"x", "$": None, "": 0.5}
    for channel in ("tavern", "a.b/C"):
        with MoobiusStorage(tmp_path.name, channel, config) as storage:
            storage.health_bars.update(values)
            storage.mana_bars.update({str(number): [channel, number] for number in range(2500)})
            storage.system("members")["ann"] = {"name": "ann"}
            storage.system("versions").update({"health_bars": 2, "praise.praises": 2})
            storage.declare("praise.praises")["ann"] = 3
            storage.system("praise-praises_before_version_2")["ann"] = "three"
            storage.system("health_bars_before_version_2")["old"] = 1
            with storage.beside("deliveries") as deliveries:
                deliveries.system("marks")["rooms/hall"] = {"done": 7}
    return content(tmp_path, config)


def content(tmp_path: Path, config: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for channel in ("tavern", "a.b/C"):
        with MoobiusStorage(tmp_path.name, channel, config) as storage:
            dicts = {name: getattr(storage, name) for name in storage.names()}
            older = ("health_bars_before_version_2", "praise-praises_before_version_2")
            dicts |= {name: storage.system(name) for name in ("members", "versions", *older)}
            dicts["praise.praises"] = storage.declare("praise.praises")
            found |= {f"{channel} {name}": each.copy() for name, each in dicts.items()}
            with storage.beside("deliveries") as deliveries:
                found[f"{channel} deliveries"] = deliveries.system("marks").copy()
    return found


@pytest.mark.parametrize("way", [("json", "redis", "other"), ("redis", "json", "redis")])
def test_there_and_back_everything_is_the_same(tmp_path: Path, configs: dict[str, Any], migrate: Migrate, way: tuple[str, ...]) -> None:
    expected = fill(tmp_path, configs[way[0]])
    for source, target in itertools.pairwise(way):
        done = migrate(source, target)
        assert done.exit_code == 0, done.output
        assert "2500 keys copied and compared" in done.output or "is there already" in done.output
        assert content(tmp_path, configs[target]) == expected
        assert content(tmp_path, configs[source]) == expected, "the old data stays"


def test_nothing_happens_before_the_plan_was_seen_and_accepted(tmp_path: Path, configs: dict[str, Any], migrate: Migrate) -> None:
    fill(tmp_path, configs["json"])
    for refused in (migrate("json", "other", asked="n\n"), migrate("json", "other", "--plan")):
        assert f"service_{tmp_path.name}.channel_tavern.mana_bars: 2500 keys, json" in refused.output
        assert not any(content(tmp_path, configs["other"]).values())


def test_data_in_the_way_is_replaced_only_when_told_and_kept_in_a_file(tmp_path: Path, configs: dict[str, Any], migrate: Migrate) -> None:
    expected = fill(tmp_path, configs["json"])
    with MoobiusStorage(tmp_path.name, "tavern", configs["redis"]) as storage:
        storage.health_bars["zoe"] = 7
    refused = migrate("json", "redis")
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    with MoobiusStorage(tmp_path.name, "tavern", configs["redis"]) as storage:
        assert storage.health_bars.copy() == {"zoe": 7}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert migrate("json", "redis", "--replace").exit_code == 0
    assert content(tmp_path, configs["redis"]) == expected
    (kept,) = (tmp_path / "mooring_cleared" / "cleared").iterdir()
    assert '"zoe": 7' in kept.read_text()


def test_the_switch_leaves_the_old_config_beside_the_new(tmp_path: Path, configs: dict[str, Any], migrate: Migrate) -> None:
    fill(tmp_path, configs["json"])
    assert migrate("json", "other", "--switch", "--yes").exit_code == 0
    assert json.loads((tmp_path / "json.json").read_text()) == configs["other"]
    (kept,) = tmp_path.glob("json.json.2*")
    assert json.loads(kept.read_text()) == configs["json"]


async def test_a_running_service_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = write_configs(tmp_path, plugins=["help"])
    process = await start(tmp_path, *options)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text(json.dumps([{"implementation": "json", "name": "health_bars", "settings": {"root_dir": "other"}}]))
    line = ["migrate", "--from", "db_config.json", "--to", "other.json", "--config", "service.json", "--yes"]
    refused = await asyncio.to_thread(CliRunner().invoke, build_app(ChannelService), line)
    await process.end()
    assert refused.exit_code == 1
    assert f"process {process.process.pid}" in refused.output
    assert "The old data is as it was" in refused.output


def test_what_the_target_has_no_place_for_is_named(tmp_path: Path, configs: dict[str, Any], migrate: Migrate) -> None:
    fill(tmp_path, configs["json"])
    (tmp_path / "less.json").write_text(json.dumps([configs["other"][0], {"implementation": "null", "name": "mana_bars"}]))
    assert "mana_bars: " in migrate("json", "less", "--plan").output


@pytest.mark.parametrize("way", [("json", "redis", "other"), ("redis", "json")])
def test_stores_of_all_channels_move_too(tmp_path: Path, configs: dict[str, Any], migrate: Migrate, way: tuple[str, ...]) -> None:
    (tmp_path / "bank.py").write_text(
        "from mooring import Store\n"
        'gold = Store("gold", model=int, default=0, scope="user", version=2, steps={1: lambda gold: gold * 10})\n'
        'motto = Store("motto", model=str, default="", scope="service")\n'
    )
    values = load_plugin(PluginEntry(name="bank"), [str(tmp_path)]).shared_values
    with opened(tmp_path, configs[way[0]], values) as dicts:
        dicts["bank.gold"]["ann"] = 50
        dicts["bank.motto"]["service"] = "tea"
    for source, target in itertools.pairwise(way):
        assert migrate(source, target, "--yes").exit_code == 0
    with opened(tmp_path, configs[way[-1]], values) as dicts:
        assert (dict(dicts["bank.gold"]), dict(dicts["bank.motto"])) == ({"ann": 50}, {"service": "tea"})


@contextmanager
def opened(tmp_path: Path, config: list[dict[str, Any]], values: tuple[StoreValues, ...]) -> Iterator[dict[str, CachedDict]]:
    shared = SharedStores()
    shared.open(tmp_path.name, config, values)
    try:
        yield dict(shared.dicts())
    finally:
        shared.close()
