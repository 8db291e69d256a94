"""`json_utils` beside the SDK's own."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import Any

import moobius.json_utils as theirs
import moobius.types
import pytest

from mooring import json_utils, types
from storage import register

DATA: dict[str, Any] = {
    "ann": types.Character("ann", "Ann", None, None, {"role": "owner"}),
    "buttons": [types.Button("b", "B", types.Dialog("D", [types.InputComponent("l", "text", True)]))],
    "plain": {"a": [1, None, True, "x", 0.5]},
}


@register(name="test_json_utils.Planet")
@dataclasses.dataclass
class Planet:
    name: str
    moons: list[int] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize("typed", [True, False])
def test_what_is_saved_is_what_the_sdk_saves(typed: bool, tmp_path: Path) -> None:
    value = {"ann": moobius.types.Character("ann", "Ann"), "list": (1, 2)}
    assert json_utils.enhanced_json_save(None, value, typed) == theirs.enhanced_json_save(None, value, typed)
    json_utils.enhanced_json_save(str(tmp_path / "a.json"), value, indent=None)
    assert json.loads((tmp_path / "a.json").read_text())["ann"]["_moobius_type"] == "moobius.types.Character"


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    text = json_utils.enhanced_json_save(tmp_path / "a.json", {**DATA, "mars": Planet("Mars", [1, 2])})
    wanted = {**DATA, "mars": Planet("Mars", [1, 2])}
    for source in (str(tmp_path / "a.json"), text.encode(), io.StringIO(text)):
        assert json_utils.enhanced_json_load(source) == wanted


def test_what_the_sdk_saved_is_loaded_as_ours(tmp_path: Path) -> None:
    dialog = moobius.types.Dialog(components=[moobius.types.InputComponent("l", "text")])
    theirs.enhanced_json_save(str(tmp_path / "a.json"), [moobius.types.Button("b", "B", dialog), moobius.types.Character("ann", "Ann")])
    button, ann = json_utils.enhanced_json_load(str(tmp_path / "a.json"))
    assert button == types.Button("b", "B", types.Dialog(components=[types.InputComponent("l", "text")]))
    assert ann == types.Character("ann", "Ann")


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "this.s", "moobius.types.os", "mooring.Moobius", "__main__.Nobody", 5])
def test_no_other_name_is_looked_for(name: Any) -> None:
    with pytest.raises(TypeError, match="is not known here"):
        json_utils.marked_recursive_dataclass({"_moobius_type": name, "_moobius_val": "echo"})
    assert "this" not in sys.modules


def test_what_does_not_fit_its_class_is_refused() -> None:
    with pytest.raises(TypeError, match=r"moobius.types.Button does not fit"):
        json_utils.marked_recursive_dataclass([{"_moobius_type": "moobius.types.Button", "_moobius_val": {"button_id": 5}}])


def test_a_class_of_the_file_that_was_run_is_found_by_its_name() -> None:
    marked = {"_moobius_type": "__main__.Planet", "_moobius_val": {"name": "Mars"}}
    assert json_utils.marked_recursive_dataclass(marked) == Planet("Mars")
    assert json_utils.marked_recursive_dataclass({"_moobius_type": "NoneType", "_moobius_val": {}}) is None


def test_configs_of_files(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"x": 1}')
    (tmp_path / "a.json").write_text(json.dumps({"b": str(tmp_path / "b.json"), "c": ["no", 2]}))
    for utils in (json_utils, theirs):
        assert utils.recursive_json_load(str(tmp_path / "a.json")) == {"b": {"x": 1}, "c": ["no", 2]}
    json_utils.update_jsonfile(str(tmp_path / "a.json"), ["c", 1], 3)
    assert json.loads((tmp_path / "a.json").read_text())["c"] == ["no", 3]
