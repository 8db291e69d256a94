"""The page for operators names everything that they can set and see, and nothing else; its code runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mooring import ChannelService
from mooring.channel_config import ChannelConfig, ChannelLimits, OwnLimits, PluginUse, RoomConfig, TemplateConfig
from mooring.config import LogConfig, PluginEntry, ServiceConfig, parse_service
from tests.service_for_tests import json_dicts, running

PAGE = (Path(__file__).parents[2] / "docs" / "running.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def named(text: str) -> set[str]:
    """What stands in code in the first column of a table."""
    return {name for row in re.findall(r"^\|(.*?)\|", text, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", row)}


def test_every_field_of_the_service_config_is_told() -> None:
    models = (ServiceConfig, ChannelConfig, RoomConfig, PluginUse, TemplateConfig, OwnLimits, PluginEntry, ChannelLimits)
    assert named(section("service.json")) == {field for model in models for field in model.model_fields}


def test_every_field_of_the_log_config_is_told() -> None:
    assert {field for field in LogConfig.model_fields if f"`{field}`" not in section("Logs")} == set()


def test_every_measure_is_told() -> None:
    told = {name.removesuffix("_total").removesuffix("_info") for name in named(section("Health and measures"))}
    measured = {family.name for family in ChannelService()._metrics.registry.collect()}
    assert told == {name for name in measured if not name.startswith(("process_", "python_gc_"))}


def test_the_example_config_is_valid() -> None:
    config = json.loads(section("service.json").partition("```json")[2].partition("```")[0])
    assert [channel.id for channel in parse_service(config, "").channels] == ["tavern", "library"]


@pytest.mark.parametrize("option", ["config", "db-config", "host", "port", "data-dir", "allow-open", "log-level"])
def test_every_option_is_told_with_its_variable(option: str) -> None:
    assert f"`--{option}`" in section("Options")
    assert f"`MOORING_{option.upper().replace('-', '_')}`" in section("Options")


async def test_the_example_class_runs(tmp_path: Path) -> None:
    names: dict[str, type[ChannelService]] = {}
    exec(section("A service class of your own").partition("```python")[2].partition("```")[0], names)
    async with running(tmp_path, names["Greeter"], plugins=["help"], db_config=json_dicts(tmp_path, "greetings")) as driver:
        await driver.join("ann")
        await driver.say("ann", "hello")
        await driver.say("ann", "hello")
        assert driver.recorder.texts()[-1] == "Hello for the 2. time"
        await driver.say("ann", "something else")
        assert driver.recorder.texts()[-1] == "something else"
        await driver.say("ann", "/help")
        assert "/help" in driver.recorder.texts("ann")[-1]
