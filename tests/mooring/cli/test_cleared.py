"""`mooring cleared ...` on both engines: what was cleared by mistake comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mooring import ChannelService
from mooring.cli.main import build_app
from storage import MoobiusStorage
from tests.shared.ports_for_tests import start_valkey


@pytest.fixture(scope="module")
def port() -> Any:
    server = start_valkey()
    yield int(server.port)
    server.terminate()


@pytest.fixture(params=["json", pytest.param("redis", marks=pytest.mark.redis)])
def entries(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.chdir(tmp_path)
    settings = {"root_dir": "db"} if request.param == "json" else {"host": "127.0.0.1", "port": request.getfixturevalue("port")}
    made = [{"implementation": request.param, "name": name, "settings": settings} for name in ("bars", "*")]
    (tmp_path / "db_config.json").write_text(json.dumps(made))
    return made


def cleared(*line: str) -> Result:
    return CliRunner().invoke(build_app(ChannelService), ["cleared", *line, "--db-config", "db_config.json"])


def files() -> list[str]:
    return [each["file"] for each in json.loads(cleared("list", "--json").stdout)]


VALUES = {"ann": 80, "$x": {"deep": [1, {2, 3}]}, "": None}


def test_what_was_cleared_by_mistake_comes_back(entries: list[dict[str, Any]], tmp_path: Path) -> None:
    def storage(*, clear: bool = False) -> MoobiusStorage:
        return MoobiusStorage(tmp_path.name, "tavern", [{**entry, "clear": clear} for entry in entries])

    with storage() as before:
        before.bars.update(VALUES)
        before.declare("praise.praises").update(ann=3)
    with storage(clear=True) as emptied:
        assert (len(emptied.bars), len(emptied.declare("praise.praises"))) == (0, 0)
        emptied.bars["bob"] = 1
    for file in files():
        restored = cleared("restore", file, "--yes")
        assert restored.exit_code == 0, restored.output
    with storage() as after:
        assert after.bars.copy() == VALUES
        assert after.declare("praise.praises").copy() == {"ann": 3}
    newest = files()[0]
    assert "bob" in Path(newest).read_text(), "what gave way is kept as well"
    assert cleared("restore", newest, "--yes").exit_code == 0
    with storage() as after:
        assert after.bars.copy() == {"bob": 1}
    assert cleared("prune", "--yes").exit_code == 0
    assert files() == []


@pytest.mark.parametrize("content", ["", "{}", "nothing", '{\n"$mooring": {"format":1},\n'])
def test_what_is_no_copy_is_not_put_back(entries: list[dict[str, Any]], tmp_path: Path, content: str) -> None:
    (tmp_path / "copy.json").write_text(content)
    restored = cleared("restore", "copy.json", "--yes")
    assert restored.exit_code == 1
    assert "copy.json is damaged, or not a copy of a dict" in " ".join(restored.output.split())


def test_a_damaged_copy_is_not_put_back(entries: list[dict[str, Any]], tmp_path: Path) -> None:
    with MoobiusStorage(tmp_path.name, "tavern", entries) as storage:
        storage.bars.update(VALUES)
    with MoobiusStorage(tmp_path.name, "tavern", [{**entries[0], "clear": True}]):
        pass
    (file,) = files()
    Path(file).write_bytes(Path(file).read_bytes().replace(b"80", b"81"))
    assert cleared("restore", file, "--yes").exit_code == 1
    assert files() == []
