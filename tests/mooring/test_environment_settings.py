"""Settings from the environment: laid over the file, of every command, and named as what they are when they do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mooring import ChannelService
from mooring.cli.main import build_app
from mooring.environment_settings import with_environment
from storage.errors import ConfigError


@pytest.mark.parametrize(
    ("variables", "raw", "expected"),
    [
        ({"LIMITS__QUEUE_LENGTH": "7"}, {"limits": {"replies": 3}}, {"limits": {"replies": 3, "queue_length": "7"}}),
        ({"CHANNELS": '["a", {"id": "b"}]'}, {"channels": ["c"]}, {"channels": ["a", {"id": "b"}]}),
        ({"stop_timeout": "3"}, {"guest_days": 2}, {"stop_timeout": "3", "guest_days": 2}),
        ({"LIMITS": '{"keys": 5}'}, {"limits": None}, {"limits": {"keys": 5}}),
        ({}, {"limits": {}}, {"limits": {}}),
    ],
)
def test_what_is_given_is_laid_over(variables: dict[str, str], raw: Any, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"MOORING__{name}", value)
    assert with_environment(raw) == expected


def test_the_service_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORING__LIMITS__QUEUE_LENGTH", "7")
    monkeypatch.setenv("MOORING__SERVICE_ID", "9")
    service = ChannelService(service_config={"limits": {"replies": 3}})
    assert (service._limits.queue_length, service._limits.replies, service.service_id) == (7, 3, "9")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MOORING__LIMTS__REPLIES", "1", 'environment, MOORING__LIMTS__REPLIES: there is no such setting; did you mean "limits"?'),
        ("MOORING__LIMITS__REPLYS", "1", "environment, limits, replys: unknown field; did you mean replies?"),
        ("MOORING__GUEST_DAYS", "soon", 'environment, guest_days: "soon" does not fit; expected a number'),
        ("MOORING__CHANNELS", "[", "write a list or an object as JSON"),
    ],
)
def test_what_does_not_fit_is_named_beside_the_faults_of_the_file(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        ChannelService(service_config={"stop_timeout": 0})
    assert said in str(caught.value)
    assert "stop_timeout" in str(caught.value)


def test_other_commands_mean_the_same_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service.json").write_text(json.dumps({"channels": ["tavern"], "plugins": []}))
    (tmp_path / "db.json").write_text(json.dumps({"implementation": "json", "name": "bars", "settings": {"root_dir": str(tmp_path / "db")}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOORING__CHANNELS", '["library"]')
    result = CliRunner().invoke(build_app(ChannelService), ["channel", "list", "--config", "service.json", "--db-config", "db.json"])
    assert "library" in result.output
    assert "tavern" not in result.output
