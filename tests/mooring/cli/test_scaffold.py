"""What `mooring new-plugin` writes works as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mooring import ChannelService
from mooring.cli.scaffold import new_plugin
from mooring.errors import PluginError

ROOT = Path(__file__).parents[3]


def test_the_plugin_its_config_and_its_test_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    written = subprocess.run([sys.executable, str(ROOT / "service.py"), "new-plugin", "apples"], capture_output=True, text=True, check=True)
    assert "apples/test_apples.py" in written.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "json", "apples"]
    ran = subprocess.run(tests, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "4 passed" in ran.stdout
    service = ChannelService(service_config="apples/service.json", db_config="apples/db_config.json")
    assert "apples" in service.commands.commands


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "apples").mkdir()
    with pytest.raises(PluginError, match="cannot be made: File exists"):
        new_plugin("apples", tmp_path)
    assert list((tmp_path / "apples").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../x", "a-b", "class", "_x", "Apples", "bars", "a b", "1a"])
def test_names_that_cannot_be_plugins_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError):
        new_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_config_says_where_stores_live_and_names_none(tmp_path: Path) -> None:
    files = {file.name: file.read_text() for file in new_plugin("pears", tmp_path)}
    assert json.loads(files["service.json"])["plugin_folders"] == [str(tmp_path / "pears")]
    assert [entry["name"] for entry in json.loads(files["db_config.json"])] == ["*"]
