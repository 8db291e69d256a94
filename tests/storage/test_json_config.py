"""The config files: whatever is wrong with one, both are read alike, and the fault names file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService
from storage import ConfigError, Fault
from storage.db_config import read_config
from storage.json_config import DEEPEST, read_json

Read = Callable[[Path], Any]


def read_service(path: Path) -> Any:
    return ChannelService(service_config=path).config["service_config"]


def read_dicts(path: Path) -> Any:
    return [entry.name for entry in read_config(path, ())]


def read_whole(path: Path) -> Any:
    return ChannelService(config=path).config


@pytest.fixture(params=[read_service, read_dicts, read_whole], ids=["service.json", "db_config.json", "config"])
def read(request: pytest.FixtureRequest) -> Read:
    reader: Read = request.param
    return reader


def fault_of(read: Read, path: Path) -> Fault:
    with pytest.raises(ConfigError) as caught:
        read(path)
    [fault] = caught.value.faults
    assert fault.file == str(path)
    return fault


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["invalid JSON", "line 1, column 1"]),
        (b'{"a": 1,\n "b": ]', ["invalid JSON", "line 2, column 7"]),
        (b'{"a": 1}\n{"b": 2}', ["invalid JSON", "line 2, column 1"]),
        (b'{"a": "\n"}', ["invalid JSON", "line 1, column 8"]),
        (b'{"a": 1,\n "b": 2,\n "a": 3}', ["'a' stands 2 times", "lines 1 and 3"]),
        (b'{"a": 1,\n "\\u0061": 2,\n "a": 3}', ["'a' stands 3 times", "lines 1 and 2 and 3"]),
        (b'{"a": [{}, {"b": ": {", \r\n"c\\"": 2, \r\n"c\\"": 3}]}', ["'c\"' stands 2 times", "lines 2 and 3"]),
        (b'{"a":\n' + b"[" * 100_000, ["nested", "line 2"]),
        (b'{"a":\n' + b"[" * 100_000 + b"]" * 100_000 + b"}", ["nested", "line 2"]),
        (b'{"a":' * 100_000, ["nested", "line 1"]),
        (b"[\n" * DEEPEST + b"[" + b"]" * (DEEPEST + 1), ["nested", f"line {DEEPEST + 1}"]),
        (b'{"a":\n ' + b"1" * 5000 + b"]]", ["5000 digits", "line 2"]),
        (b'{"a":\n NaN}', ["NaN", "line 2"]),
        (b'{"a":\n -Infinity}', ["-Infinity", "line 2"]),
        (b'{"a":\n 1e999}', ["1e999", "line 2"]),
        (b'{"a": 1,\n"b": "\xe4"}', ["0xe4", "line 2", "utf-8"]),
        ("\ufeff{}".encode("utf-16-le"), ["line 1", "utf-8"]),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, read: Read, content: bytes, parts: list[str]) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    shown = str(fault_of(read, path))
    assert [part for part in parts if part not in shown] == []


@pytest.mark.parametrize("name", ["missing.json", "folder", "null\0byte.json"])
def test_a_file_that_cannot_be_read_is_one_fault(tmp_path: Path, read: Read, name: str) -> None:
    (tmp_path / "folder").mkdir()
    fault_of(read, tmp_path / name)


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('\ufeff{"channels": ["täglich"]}', "utf-8")
    assert read_service(path) == {"channels": ["täglich"]}
    path.write_text('\ufeff{"implementation": "json", "name": "bars"}', "utf-8")
    assert read_dicts(path) == ["bars"]


def test_every_key_that_stands_twice_is_told_at_once(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": {"b": 1, "b": 2},\n"c": {"d": 3, "d": 4}}')
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert ["'b'" in str(fault) or "'d'" in str(fault) for fault in caught.value.faults] == [True, True]


def test_what_only_looks_like_a_fault_is_none(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    text = '{"a": "{[[: NaN \\\\", "b": [{"a": 1}, {"a": 2}], ":": -1.5e300, "n": ' + "9" * 400 + "}"
    path.write_text(text)
    assert read_json(path) == {"a": "{[[: NaN \\", "b": [{"a": 1}, {"a": 2}], ":": -1.5e300, "n": 10**400 - 1}
    path.write_text("[" * DEEPEST + "]" * DEEPEST)
    assert read_json(path)[0]
