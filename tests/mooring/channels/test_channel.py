"""How the parts of a channel are put together."""

from __future__ import annotations

from pathlib import Path

from tests.service_for_tests import json_dicts, running


async def test_what_the_config_left_for_later_is_loaded_before_the_first_event(tmp_path: Path) -> None:
    config = [{**entry, "load": False} for entry in json_dicts(tmp_path)]
    async with running(tmp_path, db_config=config, plugins=["bars"]) as driver:
        await driver.join("ann")
        await driver.say("ann", "/hit @ann 20")
    async with running(tmp_path, db_config=config, plugins=["bars"]) as driver:
        assert driver.service.channels["tavern"].health_bars.is_loaded
        await driver.join("ann")
        await driver.say("ann", "/bars")
        assert driver.recorder.texts()[-1] == "ann has 80 of 100 health and 100 of 100 mana."
