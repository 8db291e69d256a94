"""Where a service keeps what it keeps: said at the start, and the same from whatever folder the command is given."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mooring import ChannelService
from mooring.cli.main import build_app
from mooring.version import __version__
from storage.data_places import data_places
from tests.process_for_tests import start, write_configs


async def test_the_start_says_where_the_data_is_and_whether_it_is_new(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    for is_new in (True, False):
        process = await start(tmp_path, *options)
        code, log = await process.end()
        assert code == 0
        [line] = [line for line in log.splitlines() if "data is in" in line]
        assert f"Mooring {__version__} on Python" in line
        assert f" in {tmp_path};" in line
        assert ("(new)" in line) == is_new


async def test_what_never_was_up_does_not_say_that_it_has_stopped(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    first = await start(tmp_path, *options)
    second = await start(tmp_path, *options)
    code, log = await second.end(0)
    assert code == 1
    assert "has stopped" not in log
    assert "was not up yet" in log
    assert "has stopped" in (await first.end())[1]


def test_places_of_data(tmp_path: Path) -> None:
    entries = [
        {"implementation": "json", "settings": {"root_dir": str(tmp_path / "db")}},
        {"implementation": "json", "settings": {"root_dir": str(tmp_path / "x" / ".." / "db")}},
        {"implementation": "null", "settings": {}},
        {"implementation": "redis", "settings": {"url": "redis://ann:pw@db:7000"}},
    ]
    assert list(map(str, data_places(entries))) == [f"{tmp_path / 'db'} (new)", "Redis at db:7000"]
    (tmp_path / "db" / "1" / "tavern").mkdir(parents=True)
    assert data_places(entries)[0].is_new
    (tmp_path / "db" / "1" / "tavern" / "bars.json").write_text("{}")
    assert not data_places(entries)[0].is_new


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "service.json").write_text(json.dumps({"channels": ["tavern"], "plugins": ["help"]}))
    entry = {"implementation": "json", "name": "bars", "settings": {"root_dir": "db"}}
    (tmp_path / "home" / "config" / "db_config.json").write_text(json.dumps([entry]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOORING_HOME", raising=False)
    return tmp_path / "home"


@pytest.mark.parametrize(
    "arguments", [["--home", "home", "channel", "list"], ["channel", "list", "--home=home"], ["channel", "--home", "~/home", "list"]]
)
def test_home_is_where_relative_names_begin(home: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.parent))
    result = CliRunner().invoke(build_app(ChannelService), arguments)
    assert result.exit_code == 0, result.output
    assert "tavern" in result.output
    assert Path.cwd() == home


def test_the_variable_does_the_same_and_the_option_goes_before(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING_HOME", "home")
    assert "tavern" in CliRunner().invoke(build_app(ChannelService), ["channel", "list"]).output
    os.chdir(home.parent)
    monkeypatch.setenv("MOORING_HOME", "nowhere")
    assert "tavern" in CliRunner().invoke(build_app(ChannelService), ["channel", "list", "--home", "home"]).output


@pytest.mark.parametrize("arguments", [["--home", "nowhere", "channel", "list"], ["channel", "list", "--home"], ["--home=$NOWHERE_AT_ALL", "run"]])
def test_a_home_that_is_none_is_a_clear_fault(home: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(build_app(ChannelService), arguments)
    assert result.exit_code == 2
    assert "--home" in result.output
    assert "Traceback" not in result.output
