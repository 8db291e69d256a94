"""`mooring import moobius`: data that the SDK itself wrote is taken over, whole or by channel, and its files stay as they are."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import moobius.types as theirs
import pytest
from moobius.database.storage import MoobiusStorage as TheirStorage
from typer.testing import CliRunner, Result

from mooring import ChannelService, types
from mooring.cli.main import build_app
from mooring.service.old_data import OldDict, find_old_dicts, json_roots, not_taken_over, told
from storage import MoobiusStorage
from tests.service_for_tests import running
from tests.shared.ports_for_tests import start_valkey

SERVICE = "33af8351-b304-40f9-ab95-adfb50c30f69"
VALUES: dict[str, Any] = {
    "ann": {"hp": [1, None, True, 0.5, 10**40], "": "ü🐉"},
    "bob": 5,
    "with space, & more": [[[]]],
}


@dataclasses.dataclass
class Planet:
    name: str
    moons: int = 0


def entries(*names: str, root: str = "json_db", **more: Any) -> list[dict[str, Any]]:
    return [{"implementation": "json", "name": name, "settings": {"root_dir": root}, **more} for name in names]


def write_old(root: str = "json_db", channels: tuple[str, ...] = ("tavern", "a.b"), service: str = SERVICE) -> None:
    """Let the SDK itself write."""
    for channel in channels:
        storage = TheirStorage(service, channel, entries("stats", "people", root=root))
        for key, value in VALUES.items():
            storage.stats[key] = value
        storage.people["ann"] = theirs.Character("ann", "Ann", None, None, {"role": "owner"})
        dialog = theirs.Dialog(components=[theirs.InputComponent("l", "text", choices=["a"])])
        storage.people["buttons"] = [theirs.Button("b", "B", dialog), {"nested": theirs.MessageContent("hi")}]


def write_configs(dicts: list[dict[str, Any]] | None = None, **service: Any) -> None:
    Path("config").mkdir(exist_ok=True)
    Path("config/service.json").write_text(json.dumps({"channels": ["tavern", "a.b"], **service}))
    Path("config/db_config.json").write_text(json.dumps(entries("stats", "people", clear=True) if dicts is None else dicts))


def old_files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path("json_db").rglob("*/*/*/*.json") if path.parts[1].endswith(SERVICE)}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    write_old()
    write_configs()
    before = old_files()
    assert before
    yield
    assert {path: content for path, content in old_files().items() if path in before} == before


def mooring(*arguments: str) -> Result:
    return CliRunner().invoke(build_app(ChannelService), ["import", "moobius", "json_db", *arguments])


def taken(channel: str = "tavern", service: str = "1", dicts: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    with MoobiusStorage(service, channel, entries("stats", "people") if dicts is None else dicts) as storage:
        return {name: getattr(storage, name).copy() for name in storage.names()}


EVERYTHING = {
    "stats": VALUES,
    "people": {
        "ann": types.Character("ann", "Ann", None, None, {"role": "owner"}),
        "buttons": [
            types.Button("b", "B", types.Dialog(components=[types.InputComponent("l", "text", choices=["a"])])),
            {"nested": types.MessageContent("hi")},
        ],
    },
}


def test_everything_is_taken_over_after_a_plan() -> None:
    planned = mooring("--plan")
    assert planned.exit_code == 0
    assert f"service_{SERVICE}.channel_tavern.stats: 3 keys, 3 are copied" in planned.stdout
    assert taken() == {"stats": {}, "people": {}}
    assert mooring("--yes").exit_code == 0
    assert taken() == taken("a.b") == EVERYTHING
    again = mooring("--yes")
    assert again.exit_code == 0
    assert "was taken over before" in again.stdout
    assert "There is nothing to take over." in again.stdout


def test_one_channel_alone() -> None:
    assert mooring("--yes", "--channel", "a.b").exit_code == 0
    assert (taken("a.b"), taken()) == (EVERYTHING, {"stats": {}, "people": {}})
    refused = mooring("--channel", "cellar")
    assert (refused.exit_code, "has no channel cellar; its channels are" in refused.stderr) == (2, True)


@pytest.fixture
def port() -> Any:
    server = start_valkey()
    yield int(server.port)
    server.terminate()


@pytest.mark.redis
def test_another_engine_and_the_configs_of_the_sdk(port: int) -> None:
    dicts = [{"implementation": "redis", "name": name, "settings": {"port": port}} for name in ("stats", "people")]
    Path("config/db.json").write_text(json.dumps(dicts))
    Path("config/s.json").write_text(json.dumps({"service_id": SERVICE, "channels": ["tavern"], "others": "include"}))
    Path("config/config.json").write_text(json.dumps({"service_config": "config/s.json", "db_config": "config/db.json", "account_config": {}}))
    done = mooring("--config", "config/config.json", "--yes")
    assert done.exit_code == 0, done.output
    assert "channel_a.b.stats (the config names no such channel)" in done.stdout
    assert taken("a.b", SERVICE, dicts) == EVERYTHING


def test_damaged_files_and_unknown_classes_stay_behind_and_are_listed() -> None:
    folder = Path(f"json_db/service_{SERVICE}/channel_tavern/stats")
    bad = {"cut": b'{"a": [1, ', "empty": b"", "bytes": b'"\xff"', "deep": b"[" * 100_000, "nan": b"NaN", "class": b"", "unfit": b"", "evil": b""}
    bad["class"] = json.dumps({"_moobius_type": "service.Planet", "_moobius_val": {"name": "Mars"}}).encode()
    bad["evil"] = json.dumps({"_moobius_type": "os.system", "_moobius_val": "touch hacked"}).encode()
    bad["unfit"] = json.dumps({"_moobius_type": "moobius.types.Button", "_moobius_val": {"button_id": [], "button_text": ""}}).encode()
    for name, content in bad.items():
        (folder / f"{name}.json").write_bytes(content)
    done = mooring("--yes")
    assert done.exit_code == 1
    for name, why in {
        "cut": "is damaged: ",
        "empty": "is damaged: ",
        "bytes": "is damaged: byte 0xff at 1",
        "deep": "nests too deep",
        "nan": "cannot be kept: value: nan",
        "class": "holds a service.Planet, which is not known here",
        "evil": "holds a os.system, which is not known here",
        "unfit": "does not fit",
    }.items():
        assert any(f"{name}.json: {why}" in line or (f"{name}.json" in line and why in line) for line in done.stdout.splitlines()), name
    assert taken() == EVERYTHING
    assert not Path("hacked").exists()


def test_dataclasses_of_the_bot_come_with_its_module_later() -> None:
    folder = Path(f"json_db/service_{SERVICE}/channel_tavern/stats")
    (folder / "mars.json").write_text(json.dumps({"_moobius_type": "__main__.Moon", "_moobius_val": {"name": "Phobos", "size": 3}}))
    assert mooring("--yes").exit_code == 1
    Path("moons.py").write_text(
        "from dataclasses import dataclass\nfrom storage import register\n\n\n@register\n@dataclass\nclass Moon:\n    name: str\n    size: int\n"
    )
    with MoobiusStorage("1", "tavern", entries("stats")) as storage:
        del storage.stats["bob"]  # what the service has done since stays
    done = mooring("--yes", "--module", "moons.py")
    assert done.exit_code == 0, done.output
    assert "channel_tavern.stats: 4 keys, 1 are copied" in done.stdout
    stats = taken()["stats"]
    assert (stats["mars"].name, stats["mars"].size, "bob" in stats) == ("Phobos", 3, False)
    broken = mooring("--module", "nowhere")
    assert (broken.exit_code, "nowhere, --module: cannot be imported" in broken.stderr) == (2, True)


def test_other_values_are_not_overwritten_unless_that_is_said() -> None:
    with MoobiusStorage("1", "tavern", entries("stats")) as storage:
        storage.stats.update(ann="newer", eve=1)
    refused = mooring("--yes")
    assert refused.exit_code == 1
    assert "of which 1 are of the same name and differ, 'ann' for one" in refused.stdout
    assert "say --replace" in refused.stderr
    assert taken("a.b") == {"stats": {}, "people": {}}
    done = mooring("--yes", "--replace")
    assert done.exit_code == 0, done.output
    assert taken() == EVERYTHING
    [kept] = Path("mooring_replaced").iterdir()
    assert f"what was there is in {Path('mooring_replaced') / kept.name}" in done.stdout
    assert {'"ann": "newer",', '"eve": 1,'} <= set(kept.read_text().splitlines())


def test_keys_that_are_there_already_and_others_are_no_conflict() -> None:
    with MoobiusStorage("1", "tavern", entries("stats")) as storage:
        storage.stats.update(bob=5, eve=1)
    assert mooring("--yes").exit_code == 0
    assert taken()["stats"] == {**VALUES, "eve": 1}


def test_dicts_without_a_place_stay_behind() -> None:
    write_configs([*entries("stats"), {"implementation": "null", "name": "people"}])
    done = mooring("--yes")
    assert done.exit_code == 1
    assert "channel_tavern.people: 2 keys, stays behind: the db config has no dict people that keeps its data" in done.stdout
    assert taken()["stats"] == VALUES


def test_which_service_is_meant() -> None:
    write_old(service="other")
    unclear = mooring("--yes")
    assert unclear.exit_code == 2
    assert f"has data of the services {SERVICE}, other; say which one with --service" in unclear.stderr
    assert mooring("--yes", "--service", "other").exit_code == 0
    assert taken() == EVERYTHING
    empty = CliRunner().invoke(build_app(ChannelService), ["import", "moobius", "config"])
    assert (empty.exit_code, "has nothing that the Moobius SDK kept there" in empty.stderr) == (2, True)


def test_a_running_service_is_told_of() -> None:
    with MoobiusStorage("1", "tavern", entries("stats")):
        code = f"from mooring.application import main; import sys; sys.argv[1:] = {['import', 'moobius', 'json_db', '--yes']}; main()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"in use by process {os.getpid()}" in done.stderr


@pytest.mark.parametrize("size", [1, 300_000])
def test_an_import_that_is_killed_goes_on(size: int) -> None:
    folder = Path(f"json_db/service_{SERVICE}/channel_tavern/stats")
    many = {f"key {number}": [number] * 60 for number in range(1500)}
    for key, value in many.items():
        (folder / f"{key}.json").write_text(json.dumps(value))
    code = "from mooring.application import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, "import", "moobius", "json_db", "--yes"], stdout=subprocess.DEVNULL)
    journal = Path("json_db/journal")
    while process.poll() is None and not (journal.exists() and sum(file.stat().st_size for file in journal.iterdir()) > size):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = mooring("--yes")
    assert done.exit_code == 0, done.output
    assert taken() == {**EVERYTHING, "stats": {**VALUES, **many}}


async def test_old_data_is_noticed_at_the_start_until_it_was_taken_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def lines(**config: Any) -> list[str]:
        caplog.clear()
        async with running(tmp_path, db_config=entries("stats", "people"), **config) as driver:
            await driver.service.settle()
        return [record.getMessage() for record in caplog.records if "Moobius SDK kept" in record.getMessage()]

    [line] = await lines()
    assert "json_db has data that the Moobius SDK kept and Mooring does not read: 10 keys in 4 dicts of 2 channels." in line
    assert line.endswith("mooring import moobius json_db")
    assert mooring("--yes").exit_code == 0
    assert await lines() == []


async def test_looking_for_old_data_rests_again_and_again_for_the_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1000):
        (tmp_path / "json_db" / "service_1" / f"channel_{number}").mkdir(parents=True)
    rests = []

    def look(roots: Iterable[Path], taken_over: Collection[str], rest: Callable[[], object] = lambda: None) -> dict[Path, list[OldDict]]:
        def counted() -> None:
            rests.append(rest)
            rest()

        return not_taken_over(roots, taken_over, counted)

    monkeypatch.setattr("mooring.service.service.not_taken_over", look)
    async with running(tmp_path, db_config=entries("stats", "people")) as driver:
        await driver.service.settle()
    assert len(rests) > 50
    assert all(isinstance(rest, partial) and rest.func is time.sleep and rest.args[0] > 0 for rest in rests)


def test_our_own_files_are_no_old_data() -> None:
    assert mooring("--yes").exit_code == 0
    with MoobiusStorage("1", "c.d", entries("stats")) as storage:
        storage.stats["x"] = 1
    olds = find_old_dicts(Path("json_db"))
    assert {(old.service_id, old.channel_id, old.name, old.keys) for old in olds} == {
        (SERVICE, channel, name, keys) for channel in ("tavern", "a.b") for name, keys in (("stats", 3), ("people", 2))
    }
    roots = json_roots([*entries("a", "b"), {"implementation": "null", "name": "c", "settings": {}}])
    assert not_taken_over(roots, [old.domain for old in olds]) == {}
    assert not_taken_over([Path("nowhere")], []) == {}
    assert told(Path("json_db"), olds[:1], " --config c.json").endswith("mooring import moobius json_db --config c.json")
