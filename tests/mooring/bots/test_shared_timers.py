"""Several services on one Redis: what is scheduled happens once among them, and a cooldown counts for all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService
from tests.service_for_tests import Driver, running
from tests.waiting_for_tests import eventually

pytestmark = pytest.mark.redis

SOURCE = '''
from mooring import Context, command, cooldown, every

@command(example="/later")
@cooldown("1h", per="channel")
async def later(ctx: Context) -> str:
    """Schedule a ring for now."""
    ctx.schedule("0s", ring)
    return "scheduled"

async def ring(ctx: Context) -> None:
    ctx.storage.mana_bars["rung"] = ctx.storage.mana_bars.get("rung", 0) + 1
    ctx.reply("ring")
'''


def dicts(port: int, number: int) -> list[dict[str, Any]]:
    """Settings that differ make services of one process share nothing but the server."""
    settings = {"host": "127.0.0.1", "port": port, "timeout": 5.0 + number}
    return [{"implementation": "redis", "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]


async def test_a_schedule_rings_once_among_three_services(tmp_path: Path, mooring_redis: Any) -> None:
    (tmp_path / "ringing.py").write_text(SOURCE)
    config: dict[str, Any] = {
        "clock": lambda: 1_800_000_000.0,
        "plugins": ["help", "ringing"],
        "plugin_folders": [str(tmp_path)],
        "service_id": tmp_path.name,
    }
    async with AsyncExitStack() as stack:
        bots: list[Driver[ChannelService]] = [
            await stack.enter_async_context(running(tmp_path, ChannelService, db_config=dicts(int(mooring_redis.port), number), **config))
            for number in range(3)
        ]
        await bots[0].join("ann")
        await bots[0].say("ann", "/later")
        await eventually(lambda: "scheduled" in bots[1].recorder.texts("ann"))  # so that the second service knows of her
        await bots[1].say("ann", "/later")
        await asyncio.gather(*(bot.service.timers.run_due() for bot in bots))
        await asyncio.gather(*(bot.service.timers.run_due() for bot in bots))
        assert "/later rests for everybody here, 1h from now." in bots[1].recorder.texts("ann")
        mana = bots[2].service.channels["tavern"].mana_bars
        await eventually(lambda: "rung" in mana)  # which another process committed
        assert mana["rung"] == 1
