"""`mooring store read`, for programs and for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mooring import ChannelService
from mooring.cli.main import build_app
from storage import MoobiusStorage
from tests.process_for_tests import write_configs


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MoobiusStorage:
    monkeypatch.chdir(tmp_path)
    write_configs(tmp_path)
    return MoobiusStorage("1", "tavern", "db_config.json")


def read(*line: str) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(ChannelService), ["store", "read", *line, "--config", "service.json", "--db-config", "db_config.json"])
    return done.exit_code, done.stdout


def test_a_dict_is_read_beside_whoever_has_it_open(storage: MoobiusStorage) -> None:
    with storage:
        storage.health_bars.update(ann={"hp": 80, "title": "=1+1"}, bob={"hp": 7, "bag": ["rope"]})
        storage.mana_bars["ann"] = 3
        assert json.loads(read("tavern", "health_bars")[1]) == {"ann": {"hp": 80, "title": "=1+1"}, "bob": {"hp": 7, "bag": ["rope"]}}
        rows = list(csv.reader(io.StringIO(read("tavern", "health_bars", "--csv")[1])))
        assert rows == [["key", "hp", "title", "bag"], ["ann", "80", "'=1+1", ""], ["bob", "7", "", '["rope"]']]
        assert read("tavern", "mana_bars", "--csv")[1] == "key,value\nann,3\n"


def test_what_is_not_there_is_told(storage: MoobiusStorage) -> None:
    storage.close()
    assert read("nowhere", "health_bars") == (0, "{}\n")
    assert read("tavern", "helth_bars")[0] == 1
