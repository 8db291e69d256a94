"""Bots as their authors wrote them for the SDK: their imports are ported, and nothing else of them is changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from mooring import Moobius
from mooring.sdk.porting import port
from tests.service_for_tests import Driver, Recorder

BOTS = Path(__file__).with_name("bots")
CHANNEL = "3f1c0b9e-6a52-4a77-9c7e-2d8f5b1a0c44"


def ported(name: str) -> str:
    """The bot of that name with its new imports; porting leaves nothing to do by hand."""
    done = port((BOTS / f"{name}.py").read_text())
    assert done.changes
    assert [remark for remark in done.remarks if remark.is_open] == []
    return done.text


def write_bot(name: str, folder: Path, dicts: Sequence[str] = (), **service: Any) -> str:
    """Put the bot and its configs into a folder, as the SDK's quickstart lays them out, and return the name of its config."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "service.py").write_text(ported(name))
    parts = {
        "account": {"email": "bot@example.org", "password": "hunter2-and-more"},
        "service": {"http_server_uri": "https://api.moobius.ai/", "ws_server_uri": "wss://ws.moobius.ai/", "service_id": "", "others": "include"}
        | {"channels": [CHANNEL], **service},
        "db": [{"implementation": "json", "load": True, "clear": False, "name": name, "settings": {"root_dir": "json_db"}} for name in dicts],
        "log": {"log_level": "INFO", "terminal_log_level": "INFO", "error_log_level": "WARNING", "log_retention": "7 days"}
        | {"log_file": "logs/service.log", "error_log_file": "logs/error.log"},
    }
    for part, content in parts.items():
        (folder / "config" / f"{part}.json").write_text(json.dumps(content))
    whole = {f"{part}_config": f"config/{part}.json" for part in parts}
    (folder / "config" / "config.json").write_text(json.dumps(whole))
    return "config/config.json"


def class_of(folder: Path) -> type[Moobius]:
    """The service class of the bot in a folder."""
    module = ModuleType("service")
    exec(compile((folder / "service.py").read_text(), "service.py", "exec"), vars(module))
    return next(value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Moobius) and value is not Moobius)


@asynccontextmanager
async def running_bot(name: str, folder: Path, dicts: Sequence[str] = ()) -> AsyncIterator[Driver[Any]]:
    """The bot in this process, which has to be in the folder, with two members."""
    config = write_bot(name, folder, dicts)
    service = class_of(folder)(config=config)
    recorder = Recorder()
    service.attach(recorder)
    await service.start()
    try:
        driver = Driver(service, recorder)
        await driver.join("ann", "bob", channel=CHANNEL)
        yield driver
    finally:
        await service.stop()
