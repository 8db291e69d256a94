"""The gateway lives as long as its plugin: also when new code of it takes over."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.plugins.web.harness import Gateway, gateway


async def test_a_reload_closes_one_gateway_and_opens_another(tmp_path: Path) -> None:
    async with gateway(tmp_path) as before:
        async with before.member("ann") as ann:
            await before.service.reload_plugin("web")
            with pytest.raises(httpx.ConnectError):
                await before.get("/healthz")
        after = Gateway(before.service)
        assert len(after.service.addresses()) == 1
        async with after.returning(ann.welcome["token"]) as back:
            assert (await back.say("I am back"))["body"]["ok"]
            await back.until("I am back")
