"""The clockwork ends when the service stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service_for_tests import running


async def test_the_service_stops_at_the_moment_at_which_something_is_scheduled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path, plugins=["help"], stop_timeout=0.3) as bot:
        await bot.join("ann")
        bot.service.wake_timers("tavern")
        await bot.service.stop()
    assert "does not end" not in caplog.text
