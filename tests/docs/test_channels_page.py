"""The page about channels: its config is valid, and its code runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mooring import ChannelService
from mooring.service.channel_commands import CHANNEL_COMMANDS
from tests.service_for_tests import json_dicts, running

PAGE = (Path(__file__).parents[2] / "docs" / "channels.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_of_a_template_is_valid(tmp_path: Path) -> None:
    config = json.loads(blocks("json")[0])
    service = ChannelService(service_config=config, db_config=json_dicts(tmp_path))
    assert (service._configured["old-club"].access, service._configured["old-club"].welcome) == ("token", "As ever.")


async def test_the_example_code_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        code = "\n".join(f"    {line}" for line in blocks("python")[0].splitlines())
        names: dict[str, object] = {"service": bot.service}
        exec(f"async def example():\n{code}", names)
        await names["example"]()  # type: ignore[operator]
        assert [made.config["name"] for made in await bot.service.deleted_channels()] == ["The Better Club"]


def test_every_command_is_told() -> None:
    told = {command.name for command in CHANNEL_COMMANDS} - {"channel update"} | {"channel rename"}
    assert [name for name in told if f"`mooring {name}" not in PAGE] == []
