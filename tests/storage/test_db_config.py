"""The config: every fault is told at once, with its place and the way out."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

import storage
import storage.redis.address
from storage.db_config import read_config
from storage.engine_settings import RedisSettings
from storage.engines import find_engine
from storage.errors import ConfigError, Fault
from storage.moobius_storage import MoobiusStorage
from storage.redis.address import SETTINGS

TAKEN = frozenset({"close", "commit"})
GOOD = {"implementation": "json", "name": "bars"}


def faults(config: Any) -> dict[tuple[str, str], str]:
    """By entry and field."""
    with pytest.raises(ConfigError) as caught:
        read_config(config, TAKEN)
    return {(fault.entry, fault.field): f"{fault.problem}; {fault.remedy}" for fault in caught.value.faults}


def only_fault(config: Any) -> Fault:
    with pytest.raises(ConfigError) as caught:
        read_config(config, TAKEN)
    (fault,) = caught.value.faults
    return fault


class TestGood:
    def test_the_documented_example(self) -> None:
        first, second = read_config(
            [
                {"implementation": "json", "name": "health_bars", "load": True, "clear": False, "settings": {"root_dir": "json_db"}},
                {"implementation": "redis", "name": "mana_bars", "load": True, "clear": False, "settings": {"root_dir": "json_db"}},
            ],
            TAKEN,
        )
        assert (first.name, first.settings, first.load, first.clear) == ("health_bars", {"root_dir": "json_db"}, True, False)
        assert second.implementation == "redis"

    def test_one_entry_a_tuple_and_nothing(self) -> None:
        assert [entry.name for entry in read_config(GOOD, TAKEN)] == ["bars"]
        assert [entry.name for entry in read_config((GOOD,), TAKEN)] == ["bars"]
        assert read_config([], TAKEN) == []

    @pytest.mark.parametrize("as_text", [True, False])
    @pytest.mark.parametrize("content", [GOOD, [GOOD]])
    def test_a_file(self, tmp_path: Path, content: Any, as_text: bool) -> None:
        path = tmp_path / "db.json"
        path.write_text("\ufeff" + json.dumps(content), "utf-8")
        assert [entry.name for entry in read_config(str(path) if as_text else path, TAKEN)] == ["bars"]

    @pytest.mark.parametrize(
        ("word", "name"),
        [
            *((word, "json") for word in ("json", "JSON", "JSONdb", "JSONDatabase", " Json ")),
            *((word, "redis") for word in ("redis", "RedisDB", "RedisDatabase")),
            *((word, "null") for word in ("null", "None", "NullDatabase", "nulldb")),
        ],
    )
    def test_words_for_engines(self, word: str, name: str) -> None:
        engine = find_engine(word)
        assert engine is not None
        assert engine.name == name

    def test_the_shipped_files(self) -> None:
        folder = Path(__file__).parents[2] / "config"
        for name in ("db_config.json", "db_config.redis.json"):
            entries = read_config(folder / name, frozenset(dir(MoobiusStorage)))
            assert [entry.name for entry in entries][:2] == ["health_bars", "mana_bars"]


class TestSettings:
    @pytest.mark.parametrize(
        ("engine", "setting", "remedy"),
        [
            ("json", "rootdir", "root_dir"), ("redis", "tsl", "tls"), ("redis", "Port", "port"), ("redis", "durabilty", "durability"),
            ("null", "hosst", "host"),
        ],
    )
    def test_a_misspelt_one_is_a_fault(self, engine: str, setting: str, remedy: str) -> None:
        fault = only_fault({"implementation": engine, "name": "bars", "settings": {setting: True}})
        assert (fault.field, fault.remedy) == (f"settings.{setting}", f'did you mean "{remedy}"?')

    def test_one_that_resembles_none_is_a_fault_with_those_that_there_are(self) -> None:
        assert "known are root_dir, durability" in only_fault({**GOOD, "settings": {"xyzzy": 1}}).remedy

    def test_those_of_another_engine_may_stand(self) -> None:
        [entry] = read_config({**GOOD, "implementation": "redis", "settings": {"root_dir": "db", "durability": "never"}}, TAKEN)
        assert entry.settings == {"root_dir": "db", "durability": "never"}

    def test_all_that_redis_has_a_use_for_are_known(self) -> None:
        settings: dict[str, Any] = dict.fromkeys(SETTINGS)
        settings.update(timeout=2.5, connect_timeout=1, acknowledge="primary")
        read_config({**GOOD, "implementation": "redis", "settings": {**settings, "host": "db", "port": 1, "db": 0}}, TAKEN)
        assert settings.keys() <= RedisSettings.model_fields.keys()

    def test_home_and_variables_are_expanded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/ann")
        monkeypatch.setenv("SITE", "blue")
        [entry] = read_config({**GOOD, "settings": {"root_dir": "~/$SITE/${SITE}_db"}}, TAKEN)
        assert entry.settings["root_dir"] == "/home/ann/blue/blue_db"

    def test_a_variable_that_is_not_set_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SITE", raising=False)
        fault = only_fault({**GOOD, "settings": {"root_dir": "/data/$SITE/db"}})
        assert (fault.field, fault.problem) == ("settings.root_dir", "names the environment variable SITE, which is not set")

    def test_one_folder_has_one_durability(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "db")
        first = {**GOOD, "settings": {"root_dir": str(tmp_path / "db")}}
        for other in ("db", "link", "x/../db"):
            second = {**GOOD, "name": "mana", "settings": {"root_dir": str(tmp_path / other), "durability": "never"}}
            fault = only_fault([first, second])
            assert (fault.entry, fault.field) == ("mana", "settings.durability")
            assert fault.problem == "differs from that of bars, which is in the same root_dir"

    def test_the_default_said_or_not_is_the_same_durability(self, tmp_path: Path) -> None:
        first = {**GOOD, "settings": {"root_dir": str(tmp_path)}}
        assert len(read_config([first, {**first, "name": "mana", "settings": {"root_dir": str(tmp_path), "durability": "commit"}}], TAKEN)) == 2


class TestFaults:
    def test_all_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "db.json"
        config = [
            {"implementation": "jsn", "nam": "bars"},
            {"implementation": "json", "name": "close", "load": "yes", "settings": {"root_dir": 5, "durability": "sometimes"}},
            {"implementation": "redis", "name": "bars", "clear": 1, "settings": {"port": "6379", "db": -1, "host": ""}},
            {"implementation": "null", "name": "bars", "settings": []},
            "bars",
        ]
        path.write_text(json.dumps(config))
        found = faults(path)
        assert set(found) == {
            ("entry 1", "implementation"),
            ("entry 1", "nam"),
            ("entry 1", "name"),
            ("entry 2 (close)", "name"),
            ("entry 2 (close)", "load"),
            ("entry 2 (close)", "settings.root_dir"),
            ("entry 2 (close)", "settings.durability"),
            ("entry 3 (bars)", "clear"),
            ("entry 3 (bars)", "settings.port"),
            ("entry 3 (bars)", "settings.db"),
            ("entry 3 (bars)", "settings.host"),
            ("entry 4 (bars)", "settings"),
            ("entry 5", ""),
            ("entries 3 and 4", "name"),
        }
        assert 'did you mean "json"?' in found["entry 1", "implementation"]
        assert 'did you mean "name"?' in found["entry 1", "nam"]
        assert "true or false" in found["entry 2 (close)", "load"]
        assert "'commit', 'always' or 'never'" in found["entry 2 (close)", "settings.durability"]
        assert "whole number" in found["entry 3 (bars)", "settings.port"]
        with pytest.raises(ConfigError) as caught:
            read_config(path, TAKEN)
        lines = str(caught.value).splitlines()
        assert lines[0] == "the config has 14 faults:"
        assert all(str(path) in line for line in lines[1:])

    @pytest.mark.parametrize(
        ("word", "hint"),
        [
            ("rediss", 'did you mean "redis"?'),
            ("JSONDatabse", 'did you mean "json"?'),
            ("nul", 'did you mean "null"?'),
            ("mongodb", "the engines are json, redis, null"),
            ("", "the engines are"),
            ("os:system", "the engines are"),
        ],
    )
    def test_unknown_engines(self, word: str, hint: str) -> None:
        fault = only_fault({"implementation": word, "name": "bars"})
        assert fault.field == "implementation"
        assert hint in fault.remedy

    def test_no_class_can_be_named(self) -> None:
        assert find_engine("storage.json.database:JSONDatabase") is None

    @pytest.mark.parametrize(
        ("name", "part"),
        [
            ("health bars", "cannot be an attribute"),
            ("1st", "cannot be an attribute"),
            ("", "cannot be an attribute"),
            ("class", "cannot be an attribute"),
            ("_bars", "underscore"),
            ("__class__", "underscore"),
            ("commit", "taken"),
        ],
    )
    def test_names(self, name: str, part: str) -> None:
        fault = only_fault({"implementation": "json", "name": name})
        assert fault.field == "name"
        assert part in fault.problem

    def test_fields_far_from_any_word(self) -> None:
        assert "the fields are implementation, name, load, clear, settings" in only_fault({**GOOD, "xyzzy": 1}).remedy

    @pytest.mark.parametrize("config", [5, None, True])
    def test_no_list(self, config: Any) -> None:
        assert "expected a list" in only_fault(config).problem

    def test_a_password_is_not_shown(self) -> None:
        config = {"implementation": "redis", "name": "bars", "settings": {"password": 1234567, "port": 0, "url": ["redis://:1234567@db"]}}
        with pytest.raises(ConfigError) as caught:
            read_config(config, TAKEN)
        assert "1234567" not in str(caught.value)
        assert [fault.field for fault in caught.value.faults] == ["settings.port", "settings.url", "settings.password"]

    def test_long_and_strange_values_are_quoted_short(self) -> None:
        assert len(str(only_fault({**GOOD, "load": ["x" * 10_000]}))) < 300
        assert "a value of type object" in only_fault({**GOOD, "load": object()}).problem


class TestFiles:
    def test_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        fault = only_fault("db.json")
        assert fault.file == "db.json"
        assert "no such file" in fault.problem
        assert str(tmp_path) in fault.remedy

    def test_no_json(self, tmp_path: Path) -> None:
        path = tmp_path / "db.json"
        path.write_text('[\n  {"implementation": "json",\n   "name": bars}\n]')
        fault = only_fault(path)
        assert fault.file == str(path)
        assert "line 3, column 12" in fault.remedy

    @pytest.mark.parametrize(
        ("content", "part"),
        [
            (b"\xff\xfe[", "utf-8"),
            (b'{"implementation": "json", "name": "a", "name": "b"}', "'name' stands 2 times"),
            (b"[" * 100_000, "recursion"),
            (b"", "line 1, column 1"),
            (b"5", "expected a list"),
        ],
    )
    def test_strange_content(self, tmp_path: Path, content: bytes, part: str) -> None:
        path = tmp_path / "db.json"
        path.write_bytes(content)
        assert part in str(only_fault(path))

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "directory" in only_fault(tmp_path).problem


def test_redis_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **settings: Any) -> Any:
        if name == "redis" or name.startswith("redis."):
            raise ModuleNotFoundError("No module named 'redis'", name="redis")
        return original(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with monkeypatch.context() as modules:
        import sys

        modules.setattr(storage, "redis", storage.redis)  # it is put back afterwards: importing it sets it to what is imported
        for module in [each for each in sys.modules if each.split(".")[0] == "redis" or each.startswith("storage.redis")]:
            modules.delitem(sys.modules, module)
        fault = only_fault({"implementation": "redis", "name": "bars"})
    assert "pip install 'mooring[redis]'" in fault.remedy


@pytest.mark.parametrize("config", [5, None, "", object()])
def test_a_config_that_is_none_at_all_is_told_without_a_place(config: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        MoobiusStorage("1", "tavern", config)
    [line] = str(caught.value).splitlines()[1:]
    assert line.startswith(("  - the config is ", "  - cannot be read"))


def test_an_empty_object_is_no_dicts(tmp_path: Path) -> None:
    (tmp_path / "db.json").write_text("{}")
    configs: tuple[Any, ...] = ({}, [], (), str(tmp_path / "db.json"))
    for config in configs:
        assert read_config(config, TAKEN) == []
