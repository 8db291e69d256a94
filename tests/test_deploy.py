"""What is shipped for deployments is what this version understands."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mooring.config import parse_service
from mooring.plugins.web.config import Config
from storage.db_config import read_config
from storage.json_config import read_json
from storage.moobius_storage import TAKEN_NAMES
from tests.plugins.web.harness import gateway

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


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program and folders in them that are there on any machine."""
    if shutil.which("systemd-analyze") is None and not os.environ.get("CI"):
        pytest.skip("systemd-analyze is not installed")
    unit = (DEPLOY / "mooring@.service").read_text()
    unit = unit.replace("/opt/mooring/.venv/bin/mooring", "/bin/true").replace("WorkingDirectory=/opt/mooring", "WorkingDirectory=/")
    (tmp_path / "mooring@.service").write_text(unit)
    shutil.copy(DEPLOY / "mooring.target", tmp_path)
    return tmp_path


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_finds_no_fault_in_the_units(units: Path) -> None:
    said = analyze("verify", units / "mooring@.service", units / "mooring.target")
    assert "mooring" not in said, said


def test_the_unit_is_in_a_sandbox(units: Path) -> None:
    # Of 10; 2.0 is what is left to a program that has to reach the network and other services.
    analyze("security", "--offline=true", "--no-pager", "--threshold=20", units / "mooring@.service")


def test_the_units_come_back_at_boot_and_not_with_a_faulty_config() -> None:
    unit = (DEPLOY / "mooring@.service").read_text()
    assert {"WantedBy=mooring.target", "Also=mooring.target", "RestartPreventExitStatus=2", "StateDirectoryMode=0700"} <= set(unit.splitlines())
    assert "WantedBy=multi-user.target" in (DEPLOY / "mooring.target").read_text()


def test_the_image_keeps_data_in_a_volume_of_its_user_and_says_whether_it_is_well() -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    assert "install -d -o mooring -m 0700 /data" in image
    assert {"VOLUME /data", "EXPOSE 8765", "USER mooring"} <= set(image.splitlines())
    command = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", image, re.MULTILINE)
    assert command is not None
    program, option, code = json.loads(command[1])
    assert (program, option) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")


def test_nothing_but_what_is_copied_gets_to_the_builder() -> None:
    lines = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    copied = set(re.findall(r"^COPY (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    sources = {name for line in copied for name in line.split()[:-1]}
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == sources


def test_the_image_has_all_that_is_built_and_imported() -> None:
    copied = set(re.findall(r"^COPY (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    sources = {name for line in copied for name in line.split()[:-1]}
    assert {"storage", "mooring", "plugins", "service.py", "pyproject.toml", "requirements", "README.md", "LICENSE"} <= sources


# -- Prometheus --------------------------------------------------------------------------------------------------------


def alert_rules() -> list[dict[str, str]]:
    """The rules by their fields; the file is written so that each is a line of its own."""
    text = (DEPLOY / "alerts.yml").read_text()
    fields = re.compile(r"^ +(?:- )?(alert|expr|for|labels|summary|description): (?:'(.*)'|(.*))$", re.MULTILINE)
    rules = re.split(r"^      - (?=alert: )", text, flags=re.MULTILINE)[1:]
    return [{name: (quoted or plain).replace("''", "'") for name, quoted, plain in fields.findall("  " + rule)} for rule in rules]


def panel_queries() -> list[str]:
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.fixture
async def measured(tmp_path: Path) -> dict[str, set[str]]:
    """The labels of each series that a service has, by its name."""
    async with gateway(tmp_path) as place:
        async with place.member("ann") as ann:
            await ann.say("/no-such-command")
        page = (await place.get("/metrics")).text
    found = {sample.name: set(sample.labels) for family in text_string_to_metric_families(page) for sample in family.samples}
    # Those that have no value as long as nothing has happened are declared all the same.
    empty = {name: {"channel", "network"} for name in re.findall(r"^# TYPE (\w+) gauge$", page, re.MULTILINE)}
    return {**empty, **found, "up": {"job"}}


async def test_alerts_and_dashboard_ask_for_what_the_service_measures(measured: dict[str, set[str]]) -> None:
    queries = [rule["expr"] for rule in alert_rules()] + panel_queries()
    assert len(queries) > 20
    for query in queries:
        names = set(re.findall(r"\b(?:mooring|process|torbox)_\w+|\bup\b", query))
        assert names
        assert names <= measured.keys(), query
        labels = {label.strip() for by in re.findall(r"by \(([^)]*)\)", query) for label in by.split(",")} | set(re.findall(r"[{,](\w+)=", query))
        # Prometheus itself gives each series its instance and job.
        assert labels <= set.union({"instance", "job"}, *(measured[name] for name in names)), query


def test_each_alert_says_how_bad_it_is_and_what_to_do() -> None:
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules) == (DEPLOY / "alerts.yml").read_text().count("alert: ")
    for rule in rules:
        assert rule.keys() == {"alert", "expr", "for", "labels", "summary", "description"}, rule
        assert rule["labels"] in {"{severity: warning}", "{severity: critical}"}
        assert rule["summary"] and rule["description"]


def test_prometheus_takes_the_files() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool, which comes with Prometheus, is not installed")
    subprocess.run([promtool, "check", "config", str(DEPLOY / "prometheus.yml")], check=True, timeout=60)


def test_prometheus_looks_where_the_gateway_is() -> None:
    text = (DEPLOY / "prometheus.yml").read_text()
    assert f"127.0.0.1:{Config().port}" in text
    assert "metrics_path: /metrics" in text
    assert (DEPLOY / "alerts.yml").name in text
