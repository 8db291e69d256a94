"""The service as a process: its one line, its faults, its signals, and what is left after the hardest of them."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.process_for_tests import member, start, write_configs

SLOW = '''
import asyncio
from mooring import Context, command

@command(example="/slow 1")
async def slow(ctx: Context, seconds: float) -> str:
    """Take some time."""
    ctx.storage.health_bars["slow"] = "begun"
    print("in hand", flush=True)
    await asyncio.sleep(seconds)
    ctx.storage.health_bars["slow"] = "done"
    return "slept"
'''


STUCK = '''
import threading
from mooring import Context, command

@command(example="/stuck")
def stuck(ctx: Context) -> None:
    """Never come back."""
    ctx.storage.health_bars["stuck"] = 1
    print("in hand", flush=True)
    threading.Event().wait()
'''


async def test_one_line_says_where_it_is_and_sigterm_ends_it_well(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = await start(tmp_path, *write_configs(tmp_path))
        assert process.line.startswith("Mooring is at http://127.0.0.1:")
        code, log = await process.end(number)
        assert code == 0
        assert "Traceback" not in log
        assert not list(tmp_path.rglob("journal")), "a clean end leaves only snapshots"


async def test_bars_are_the_same_after_kill_9(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        answer = await ann.say("/hit @ann 20")
        assert answer["body"]["ok"], answer
        process.kill()
        await process.wait()

    process = await start(tmp_path, *options)
    async with member(process.address, token=ann.token) as ann:
        await ann.say("/bars")
        assert "ann has 80 of 100 health and 100 of 100 mana." in ann.texts()
    await process.end()


async def test_an_acknowledged_event_is_not_done_again_after_kill_9(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        for number in range(5):
            assert (await ann.say("/hit @ann 10", request=f"hit-{number}"))["body"]["ok"]
        process.kill()
        await process.wait()

    process = await start(tmp_path, *options)
    async with member(process.address, token=ann.token) as ann:
        for number in range(6):
            answer = await ann.say("/hit @ann 10", request=f"hit-{number}")
            assert answer["body"].get("repeated", False) == (number < 5)
        await ann.say("/bars")
        assert "ann has 40 of 100 health and 100 of 100 mana." in ann.texts()
    await process.end()


async def test_killed_at_any_moment_each_hit_is_done_once(tmp_path: Path) -> None:
    """The member sends again what was not acknowledged, as the page does."""
    options = write_configs(
        tmp_path,
        plugins=[
            {"name": "bars", "config": {"health": {"maximum": 1_000_000}}},
            {"name": "web", "config": {"limits": {"frames_per_second": 1_000_000, "burst": 1_000_000}}},
        ],
    )
    token, sent, acknowledged = "", 0, set[int]()
    for after in (0.05, 0.15, 0.25):
        process = await start(tmp_path, *options)
        who = {"token": token} if token else {"name": "ann"}
        with pytest.raises(ConnectionClosed):
            async with member(process.address, **who) as ann:
                token = ann.token
                asyncio.get_running_loop().call_later(after, process.kill)
                while True:
                    open_hits = sorted(set(range(sent)) - acknowledged)
                    number = open_hits[0] if open_hits else sent
                    sent = max(sent, number + 1)
                    assert (await ann.say("/hit @ann 1", request=f"hit-{number}"))["body"]["ok"]
                    acknowledged.add(number)
        await process.wait()
    process = await start(tmp_path, *options)
    async with member(process.address, token=token) as ann:
        for number in set(range(sent)) - acknowledged:
            await ann.say("/hit @ann 1", request=f"hit-{number}")
        await ann.say("/bars")
        assert f"ann has {1_000_000 - sent} of 1000000 health and 100 of 100 mana." in ann.texts()
    await process.end()


async def test_sigterm_finishes_the_event_in_hand_and_those_that_wait(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "slow.py").write_text(SLOW)
    options = write_configs(tmp_path, plugins=["bars", "slow", "web"], plugin_folders=["mine"])
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann, member(process.address, name="bob") as bob:
        slow = asyncio.create_task(ann.say("/slow 0.5"))
        assert process.process.stdout is not None
        await process.process.stdout.readline()
        behind = asyncio.create_task(bob.say("/hit @ann 20"))
        while not behind.done() and (await _depth(process.address)) < 1:
            await asyncio.sleep(0.01)
        code, _ = await process.end()
        assert code == 0
        assert (await slow)["body"]["ok"]
        assert (await behind)["body"]["ok"]
    assert _kept(tmp_path, "health_bars")["slow"] == "done"


async def test_an_event_that_does_not_end_is_given_up_and_undone_after_stop_timeout(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "slow.py").write_text(SLOW)
    options = write_configs(tmp_path, plugins=["slow", "web"], plugin_folders=["mine"], stop_timeout=0.3)
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        slow = asyncio.create_task(ann.say("/slow 1000"))
        assert process.process.stdout is not None
        await process.process.stdout.readline()
        code, log = await process.end()
        assert code == 0
        assert "did not finish in time" in log
        slow.cancel()
    assert "slow" not in _kept(tmp_path, "health_bars")


async def test_a_thread_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "stuck.py").write_text(STUCK)
    options = write_configs(tmp_path, plugins=["bars", "stuck", "web"], plugin_folders=["mine"], stop_timeout=0.3)
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        await ann.say("/hit @ann 20")
        stuck = asyncio.create_task(ann.say("/stuck"))
        assert process.process.stdout is not None
        await process.process.stdout.readline()
        code, log = await process.end()
        assert code == 0
        assert "still blocks its thread" in log
        stuck.cancel()
    kept = _kept(tmp_path, "health_bars")
    assert kept["$mooring"]["keys"] == 1, "the hit is there, and nothing of the handler that hung"
    assert "stuck" not in kept


async def test_all_faults_of_all_configs_are_listed_and_the_code_is_2(tmp_path: Path) -> None:
    (tmp_path / "service.json").write_text(
        json.dumps({"chanels": [], "limits": {"queue_length": 0}, "plugins": ["barz", {"name": "bars", "config": {"hitt": 3}}, "web"]})
    )
    (tmp_path / "db_config.json").write_text(json.dumps([{"implementation": "jsn", "name": "health_bars"}]))
    process = await start(tmp_path, "--config", "service.json", "--db-config", "db_config.json", MOORING_LOG_LEVEL="LOUD")
    _, log = await process.process.communicate()
    said = log.decode()
    assert process.line == ""
    assert process.process.returncode == 2
    for part in ("6 faults", "chanels", "channels?", "queue_length", "barz", "bars?", "hitt", "hit?", "jsn", '"json"', "LOUD"):
        assert part in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("text", "said"), [("{", "line 1, column 2"), ("[]", "expected an object in braces"), (None, "No such file")])
async def test_a_config_that_cannot_be_read_is_one_clear_fault(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "service.json").write_text(text)
    (tmp_path / "db_config.json").write_text("[]")
    process = await start(tmp_path, "--config", "service.json", "--db-config", "db_config.json")
    _, log = await process.process.communicate()
    assert process.process.returncode == 2
    assert "service.json" in log.decode()
    assert said in log.decode()
    assert "Traceback" not in log.decode()


async def test_a_port_that_is_taken_and_a_folder_that_is_owned_are_told_in_a_line(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    first = await start(tmp_path, *options)
    second = await start(tmp_path, *options)
    _, log = await second.process.communicate()
    assert second.process.returncode == 1
    assert f"process {first.process.pid}" in log.decode()
    assert "Traceback" not in log.decode()

    (tmp_path / "other").mkdir()
    third = await start(tmp_path / "other", *write_configs(tmp_path / "other"), MOORING_PORT=first.address.rstrip("/").rpartition(":")[2])
    _, log = await third.process.communicate()
    assert third.process.returncode == 1
    assert "address already in use" in log.decode()
    assert "Traceback" not in log.decode()
    await first.end()


async def test_help_names_every_option_and_its_variable(tmp_path: Path) -> None:
    process = await start(tmp_path, "--help", COLUMNS="200", TERM="dumb")
    out, _ = await process.process.communicate()
    text = process.line + out.decode()
    for option in ("config", "db-config", "host", "port", "log-level"):
        assert f"--{option}" in text
        assert f"MOORING_{option.upper().replace('-', '_')}" in text


async def _depth(address: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        facts = (await client.get(f"{address}readyz")).json()
    return int(facts["channels"]["tavern"]["waiting"])


def _kept(folder: Path, name: str) -> dict[str, Any]:
    """What a dict of the tavern holds after a clean end; one that never held anything has no file."""
    file = folder / "json_db" / "service_1" / "channel_tavern" / f"{name}.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return kept
