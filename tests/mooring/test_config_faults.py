"""Faults of `service.json`: all at once, in the words of those who write it, and none that only follows from another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService
from storage.errors import ConfigError, Fault

PLUGIN = "from mooring import Context, command\n\n\n@command\ndef wave(ctx: Context) -> str:\n    return 'hello'\n"


@pytest.fixture
def bots(tmp_path: Path) -> Path:
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots" / "waver.py").write_text(PLUGIN)
    return tmp_path / "bots"


def faults(service: Any) -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        ChannelService(service_config=service)
    return list(caught.value.faults)


def told(service: Any) -> str:
    return str(ConfigError(faults(service)))


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"channels": None}, "null does not fit; expected a list in brackets"),
        ({"channels": [None]}, "null does not fit; expected an object in braces"),
        ({"channels": [{"id": 3}]}, "3 does not fit; expected a text in quotes"),
        ({"limits": []}, "[] does not fit; expected an object in braces"),
        ({"guest_days": "soon"}, '"soon" does not fit; expected a number'),
        ({"limits": {"queue_length": 1.5}}, "1.5 does not fit; expected a whole number"),
        ({"plugins": [{"name": "help", "required": "perhaps"}]}, '"perhaps" does not fit; expected true or false'),
        ({"plugins": ["help", {"name": "help"}]}, "names 'help' more than once"),
    ],
)
def test_faults_are_told_in_the_words_of_json(service: Any, said: str) -> None:
    text = told(service)
    assert said in text
    for word in ("NoneType", "None", "dictionary", "instance of", "Input should"):
        assert word not in text


@pytest.mark.parametrize("content", ["null", "5", '"x"', "[]"])
def test_a_file_that_holds_no_object_is_named_with_what_it_holds(tmp_path: Path, content: str) -> None:
    (tmp_path / "service.json").write_text(content)
    [fault] = faults(str(tmp_path / "service.json"))
    assert (fault.file, fault.problem) == (str(tmp_path / "service.json"), f"holds {content}")


def test_a_bad_plugin_entry_hides_no_other(bots: Path) -> None:
    plugins = [5, {"nam": "help"}, "helpp", {"name": "web", "config": {"prot": 1}}, "waver"]
    text = told({"plugins": plugins, "plugin_folders": [str(bots)], "stop_tmeout": 3})
    for part in ("6 faults", "plugins, 0", "nam", "plugin helpp: there is no plugin of this name", "prot", "stop_timeout?"):
        assert part in text
    assert "waver" not in text


@pytest.mark.parametrize("field", ["plugin_folders", "plugin_folder", "plugins_folders"])
def test_other_faults_add_none_about_plugins_that_are_there(bots: Path, field: str) -> None:
    [fault] = faults({"plugins": ["waver"], field: [str(bots)], **({"guest_days": 0} if field == "plugin_folders" else {})})
    assert fault.field in {"guest_days", field}
    [fault] = faults({"plugins": ["waver"], "plugin_folders": str(bots)})
    assert fault.field == "plugin_folders"


def test_channels_are_judged_beside_other_faults() -> None:
    channels = [{"id": "a", "plugins": ["hlep"]}, {"id": "b", "template": "x"}]
    text = told({"channels": channels, "plugins": ["help", {"name": "bars", "x": 1}], "guest_days": 0})
    for part in ("4 faults", "hlep", "did you mean help?", "there is no template 'x'", "guest_days"):
        assert part in text
    assert "no plugin of the config" not in told({"channels": [{"id": "a", "plugins": ["bars"]}], "plugins": [{"name": "bars", "x": 1}]})


def test_a_plugin_folder_that_is_not_there_is_named() -> None:
    [fault] = faults({"plugin_folders": ["nowhere"]})
    assert (fault.field, fault.problem) == ("plugin_folders", "there is no folder nowhere")


def test_paths_are_expanded(bots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(bots.parent))
    monkeypatch.setenv("BOTS", "bots")
    service = ChannelService(service_config={"plugins": ["waver"], "plugin_folders": ["~/$BOTS"], "data_dir": "~/data"})
    assert service.data_dir == bots.parent / "data"
    monkeypatch.delenv("BOTS")
    assert "names the environment variable BOTS, which is not set" in told({"plugin_folders": ["~/$BOTS"]})


def test_values_of_secret_fields_are_not_shown() -> None:
    assert "1234567" not in json.dumps(told({"plugins": [{"name": "torbox", "config": {"api_key_file": [1234567]}}]}))
