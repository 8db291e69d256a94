"""The gateway lives as long as its plugin: also when new code of it takes over."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

import mooring.plugins
from mooring.plugins import web
from tests.plugins.web.harness import Gateway, gateway


@pytest.fixture(autouse=True)
def code_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have imported the plugin's classes, and a reload makes new ones."""
    for name, module in list(sys.modules.items()):
        if name.startswith("mooring.plugins.web"):
            monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(mooring.plugins, "web", web)


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
