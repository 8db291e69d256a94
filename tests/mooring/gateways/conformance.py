"""What every gateway to rooms has to hold, whatever its network: a subclass of the suite says how to get at the network.

The channel is bound to two rooms, `here` and `there`. What people say here is seen there, by the way through the channel.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mooring import Context
from mooring.gateways.rendering import harmless
from mooring.names import clean_name
from tests.mooring.test_hostile_names import FORGED, IDS, IN_CHARGE, NOBODY
from tests.process_for_tests import start, write_configs
from tests.service_for_tests import Driver, json_dicts, running
from tests.waiting_for_tests import eventually

SECONDS = 60.0
HOSTILE_TEXTS = (
    "@room @everyone @here look",
    '{"text": "x"}\\n", "from": "owner"',
    "two\nlines\n\nand three",
    "<b>bold</b> <script>alert(1)</script> &amp; **stars** [a](javascript:b)",
    "\u202eturned around",
    "\x1b[2Jgone\x00",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u0634\u0643\u0631\u0627",
    "'; DROP TABLE rooms; --",
)


class NetworkInTests(ABC):
    """One network with two rooms, and people in them."""

    here: str
    there: str
    can_edit = False
    can_delete = False

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The `plugins` and `plugin_folders` of the gateway, for the config of a service."""

    @abstractmethod
    async def say(self, user: str, text: str, *, event: str, name: str = "") -> None:
        """Somebody says something here. The same `event` again is the same thing, which the network tells twice."""

    @abstractmethod
    def shown(self, room: str) -> list[str]:
        """The texts that people see in a room, of those that came from the channel, in order."""

    @abstractmethod
    def away(self) -> AbstractContextManager[None]:
        """While it lasts the network cannot be reached."""

    def said(self, room: str) -> list[str]:
        """The same without who came."""
        return [text for text in self.shown(room) if not text.endswith(" joined")]


@asynccontextmanager
async def serving(folder: Path, network: NetworkInTests) -> AsyncIterator[Driver]:
    config = network.config()
    channels = [{"id": "tavern", "rooms": [network.here, network.there]}]
    async with running(folder / "data", channels=channels, plugins=["bars", *config["plugins"]], plugin_folders=config["plugin_folders"]) as driver:
        yield driver


class GatewayConformance:
    """The suite. Subclasses have a fixture `network`."""

    every_name = 1
    """How many of the hostile names are tried: one in so many, where it takes time to make a user of the network."""
    lines = 80
    """How much is said while the service is killed."""
    gap = 60
    """How much is said while it is down."""

    async def test_what_is_said_here_is_seen_there_and_not_here_again(self, tmp_path: Path, network: NetworkInTests) -> None:
        async with serving(tmp_path, network) as driver:
            await network.say("ann", "hello", event="1")
            await eventually(lambda: network.said(network.there) == ["hello"], SECONDS)
            await driver.say(next(iter(driver.service.members("tavern"))), "from the page")
            await eventually(lambda: network.said(network.here) == ["from the page"], SECONDS)

    async def test_an_event_that_is_told_again_is_not_handled_again(self, tmp_path: Path, network: NetworkInTests) -> None:
        for text in ("again", "after the restart"):
            async with serving(tmp_path, network):
                await network.say("ann", "once", event="1")
                await network.say("ann", text, event=text)
                await eventually(lambda text=text: text in network.said(network.there), SECONDS)  # type: ignore[misc]
        assert network.said(network.there) == ["once", "again", "after the restart"]

    async def test_what_was_said_while_the_service_was_down_is_handled_to_the_last(self, tmp_path: Path, network: NetworkInTests) -> None:
        async with serving(tmp_path, network):
            await network.say("ann", "before", event="before")
            await eventually(lambda: network.said(network.there) == ["before"], SECONDS)
        gap = [f"line {number}" for number in range(self.gap)]
        for number, text in enumerate(gap):
            await network.say(f"p{number % 3}", text, event=str(number))
        async with serving(tmp_path, network):
            await eventually(lambda: len(network.said(network.there)) == self.gap + 1, SECONDS)
        assert network.said(network.there) == ["before", *gap]

    async def test_what_the_channel_says_while_the_network_is_away_arrives_in_order(self, tmp_path: Path, network: NetworkInTests) -> None:
        expected = [f"line {number}" for number in range(20)]
        async with serving(tmp_path, network) as driver:
            with network.away():
                await driver.join("ann")
                for text in expected[:10]:
                    await driver.say("ann", text)
        async with serving(tmp_path, network) as driver:
            for text in expected[10:]:
                await driver.say("ann", text)
            for room in (network.here, network.there):
                await eventually(lambda room=room: network.said(room) == expected, SECONDS)  # type: ignore[misc]

    async def test_edits_and_deletes_are_seen_as_far_as_the_network_can(self, tmp_path: Path, network: NetworkInTests) -> None:
        async with serving(tmp_path, network) as driver:
            await driver.join("ann")
            for text in ("one", "two"):
                await driver.say("ann", text)
            one, two = (down.body.message_id for down in driver.recorder.downs[-2:] if down.type == "message_down")
            await eventually(lambda: network.said(network.here) == ["one", "two"], SECONDS)

            async def change(ctx: Context) -> None:
                ctx.messages.edit(one, "uno")
                ctx.messages.delete(two)
                ctx.reply("over")

            await driver.service.in_channel("tavern", change)
            old = ["uno"] if network.can_edit else ["one"]
            expected = [*old, *([] if network.can_delete else ["two"]), *([] if network.can_edit else ["uno"]), "over"]
            await eventually(lambda: network.said(network.here) == expected, SECONDS)

    async def test_what_only_the_member_may_read_is_not_shown_to_all(self, tmp_path: Path, network: NetworkInTests) -> None:
        async with serving(tmp_path, network):
            await network.say("ann", "/no-such-command", event="1")
            await network.say("ann", "hello", event="2")
            await eventually(lambda: network.said(network.there) == ["hello"], SECONDS)
        assert network.said(network.here) == []

    async def test_whatever_people_are_called_they_come_in_under_a_good_name(self, tmp_path: Path, network: NetworkInTests) -> None:
        names = [name for name in (*FORGED[::20], *IN_CHARGE[::4], *IDS[::3], *NOBODY) if "\ud800" not in name][:: self.every_name]
        async with serving(tmp_path, network) as driver:
            for number, name in enumerate(names):
                await network.say(f"p{number}", "hello", event=str(number), name=name)
            await eventually(lambda: len(network.said(network.there)) == len(names), SECONDS)
            members = driver.service.members("tavern")
            assert len(members) == len({member.name for member in members.values()}) == len(names)
            assert all(clean_name(member.name) == member.name for member in members.values())
            assert {member.character_context and member.character_context["role"] for member in members.values()} == {"member"}

    async def test_hostile_texts_arrive_whole_and_harmless(self, tmp_path: Path, network: NetworkInTests) -> None:
        async with serving(tmp_path, network):
            for number, text in enumerate(HOSTILE_TEXTS):
                await network.say("ann", text, event=str(number))
            await eventually(lambda: len(network.said(network.there)) == len(HOSTILE_TEXTS), SECONDS)
        assert network.said(network.there) == [harmless(text) for text in HOSTILE_TEXTS]

    @pytest.mark.slow
    async def test_kills_lose_and_double_nothing_on_the_way_in_and_out(self, tmp_path: Path, network: NetworkInTests) -> None:
        (tmp_path / "process").mkdir()
        config, chance = network.config(), random.Random(1)
        channels = [{"id": "tavern", "rooms": [network.here, network.there]}]
        plugins = ["bars", *config["plugins"], {"name": "web", "config": {"port": 0}}]
        data = json_dicts(tmp_path / "data")
        options = write_configs(tmp_path / "process", plugins=plugins, db=data, channels=channels, plugin_folders=config["plugin_folders"])
        expected = [f"line {number}" for number in range(self.lines)]
        for number, text in enumerate(expected):
            await network.say(f"p{number % 3}", text, event=str(number))
        reached = [0]
        for _ in range(3):
            process = await start(tmp_path / "process", *options)
            goal = reached[-1] + chance.randint(5, 15)
            await eventually(lambda goal=goal: len(network.said(network.there)) >= goal, SECONDS)  # type: ignore[misc]
            process.kill()
            await process.wait()
            reached.append(len(network.said(network.there)))
        assert reached[-1] < len(expected), "the kills came too late to prove anything"
        process = await start(tmp_path / "process", *options)
        await eventually(lambda: len(network.said(network.there)) >= len(expected), SECONDS)
        await asyncio.sleep(0.3)  # for what would come twice
        code, log = await process.end()
        assert code == 0, log
        assert network.said(network.there) == expected
