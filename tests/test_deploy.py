"""What is shipped for deployments is what this version understands."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from mooring.config import parse_service
from mooring.plugins.web.config import Config
from storage.db_config import read_config
from storage.json_config import read_json
from storage.moobius_storage import TAKEN_NAMES

DEPLOY = Path(__file__).parents[1] / "deploy"


def test_the_configs_are_valid_and_let_nobody_in_without_a_token() -> None:
    service = parse_service(read_json(DEPLOY / "service.json"), "service.json")
    assert {channel.access for channel in service.channels} == {"token"}
    web = next(plugin for plugin in service.plugins if plugin.name == "web")
    Config.model_validate({**web.config, "host": "0.0.0.0"}).check_exposure(each.id for each in service.channels if each.access == "open")


def test_every_dict_is_on_one_server_and_the_password_in_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "x")
    entries = read_config(DEPLOY / "db_config.json", TAKEN_NAMES)
    assert {entry.implementation for entry in entries} == {"redis"}
    assert len({str(entry.settings) for entry in entries}) == 1
    assert "password_env" in entries[0].settings
    assert not [path for path in DEPLOY.iterdir() if re.search(r"requirepass \w", path.read_text())]


def test_the_proxy_knows_the_services_of_the_compose_file() -> None:
    compose = (DEPLOY / "compose.yaml").read_text()
    upstreams = set(re.findall(r"server (service-\d):8765", (DEPLOY / "nginx.conf").read_text()))
    assert upstreams == set(re.findall(r"^  (service-\d):$", compose, re.MULTILINE))
    assert len(upstreams) == 2


def test_the_unit_runs_our_command_as_its_own_user() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "mooring@.service")
    assert unit["Service"]["ExecStart"].endswith("/mooring")
    assert unit["Service"]["User"] == "mooring"
    assert unit["Service"]["UMask"] == "0077"


def test_the_image_has_all_that_is_built_and_imported() -> None:
    copied = set(re.findall(r"^COPY (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    sources = {name for line in copied for name in line.split()[:-1]}
    assert {"storage", "mooring", "plugins", "service.py", "pyproject.toml", "requirements", "README.md", "LICENSE"} <= sources
