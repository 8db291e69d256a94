"""Starts and stops that do not go as they should."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService
from mooring.errors import PluginError
from mooring.events import SimpleAction, UpEvent
from mooring.protocols import ServiceStopping
from storage import StoreLocked
from storage.errors import ConfigError
from tests.service_for_tests import Recorder, json_dicts, running

FAILING = """
from mooring import PluginError

calls = []

async def on_start(service, config):
    calls.append("start")
    raise PluginError("the key is missing")

def on_stop(service, config):
    calls.append("stop")
"""

JOIN = UpEvent("join", "1", "tavern", "ann", SimpleAction("join", "tavern", "ann", {"name": "ann"}))


def make(root: Path, **service: Any) -> ChannelService:
    return ChannelService(service_config={"channels": ["tavern"], **service}, db_config=json_dicts(root))


async def test_before_the_start_and_after_the_stop_events_are_turned_away(tmp_path: Path) -> None:
    service = make(tmp_path)
    with pytest.raises(ServiceStopping, match="Try again"):
        await service.submit(JOIN)
    await service.start()
    assert (await service.submit(JOIN)).ok
    await service.stop()
    with pytest.raises(ServiceStopping):
        await service.submit(JOIN)


async def test_a_stop_may_come_twice_and_a_start_after_it(tmp_path: Path) -> None:
    service = make(tmp_path)
    await service.stop()
    for repeated in (False, True):
        await service.start()
        assert (await service.submit(JOIN)).repeated is repeated
        await service.stop()
        await service.stop()


async def test_a_plugin_that_cannot_start_stops_the_start_and_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    service = make(tmp_path / "store", plugins=["failing"], plugin_folders=[str(tmp_path)])
    recorder = Recorder()
    service.attach(recorder)
    with pytest.raises(PluginError, match="the key is missing"):
        await service.start()
    assert recorder.accepts is False
    assert service.plugins.loaded["failing"].module.calls == ["start", "stop"]
    async with running(tmp_path / "store") as driver:  # nobody holds the folder any more
        await driver.join("ann")


async def test_a_folder_that_another_owns_is_told(tmp_path: Path) -> None:
    command = ["flock", "--exclusive", str(tmp_path / ".owner"), "sh", "-c", "echo locked; cat"]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    with pytest.raises(StoreLocked):
        await make(tmp_path).start()
    await process.communicate(b"")


async def test_a_bot_that_keeps_nothing_may_leave_its_channels_without_storage(tmp_path: Path) -> None:
    class Forgetful(ChannelService):
        async def on_channel_init(self, channel_id: str) -> None:
            return

    async with running(tmp_path, Forgetful, db_config=[]) as driver:
        await driver.join("ann")
        await driver.say("ann", "hello")
        assert driver.recorder.texts()[-1] == "hello"


async def test_work_of_plugins_ends_with_the_service(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ended = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    async def failing() -> None:
        raise LookupError("work went wrong")

    async with running(tmp_path) as driver:
        driver.service.spawn(endless(), name="endless work")
        driver.service.spawn(failing(), name="failing work")
        await asyncio.sleep(0)
    assert ended == ["endless"]
    [record] = [record for record in caplog.records if "failing work failed" in record.getMessage()]
    assert "work went wrong" in str(record.exc_info)


async def test_check_ins_come_again_and_again(tmp_path: Path) -> None:
    class Counting(ChannelService):
        checks = 0
        enough: asyncio.Event

        async def on_channel_checkin(self, channel_id: str) -> None:
            self.checks += 1
            if self.checks == 2:
                raise LookupError("one that fails is not the last")
            if self.checks == 4:
                self.enough.set()

    Counting.enough = asyncio.Event()
    async with running(tmp_path, Counting, checkin_interval=0.001):
        await asyncio.wait_for(Counting.enough.wait(), 30)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"channels": ["a", "a"]}, ["'a' more than once"]),
        ({"channels": [{"id": "a", "acess": "open"}]}, ["acess", "did you mean access?"]),
        ({"channels": [{"id": "a", "access": "closed"}]}, ["access", "'open' or 'token'"]),
        ({"channels": "tavern"}, ["channels", "list"]),
        ({"limits": {"queue_length": 0, "history_length": -1}}, ["2 faults", "queue_length", "history_length"]),
        ({"stop_timeout": "soon"}, ["stop_timeout", '"soon"', "a number"]),
        ({"plugins": [{"config": {}}]}, ["name", "is missing"]),
    ],
)
def test_faults_of_the_service_config(service: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        ChannelService(service_config=service)
    for word in words:
        assert word in str(caught.value)
