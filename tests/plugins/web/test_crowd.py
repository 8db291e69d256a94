"""A crowd costs nothing extra: what one event makes and sends is the same however many members there are. Counted, not timed."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from mooring import Acknowledgement, BarSpec, Character, SimpleAction, UpEvent
from mooring.channels.change_log import ChangeLog
from mooring.channels.members import Members
from mooring.channels.members_in_turn import MembersInTurn
from tests.plugins.web.harness import Client, Gateway, gateway

Act = Callable[[], Awaitable[object]]


class Counting:
    """What was made since it was asked last: characters, bars, and walks over the members."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: Counter[str] = Counter()
        for owner, name in (
            (Character, "__init__"),
            (BarSpec, "shown"),
            (Members, "__iter__"),
            (MembersInTurn, "__iter__"),
            (ChangeLog, "add_all"),
        ):
            monkeypatch.setattr(owner, name, self._counted(f"{owner.__name__}.{name}", getattr(owner, name)))

    def take(self) -> dict[str, int]:
        made, self.made = dict(self.made), Counter()
        return made

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.made[name] += 1
            return function(*given, **named)

        return counted


def size(frame: dict[str, Any]) -> int:
    """The length of a frame in which all ids, times and counts have one digit."""
    return len(re.sub(r"\d+", "0", re.sub(r"[0-9a-f]{8,}", "0", json.dumps(frame))))


async def heard(client: Client) -> list[tuple[str, int]]:
    """What came since this was called last."""
    await client.ask("ping")
    frames, client.frames = client.frames, []
    return [(frame["type"], size(frame)) for frame in frames if frame["type"] != "pong"]


async def gather(place: Gateway, count: int) -> None:
    def join(member: str) -> asyncio.Future[Acknowledgement]:
        return place.service.enqueue(UpEvent("join", member, "tavern", member, SimpleAction("join", "tavern", member, {"name": member})))

    for first in range(0, count, 500):
        await asyncio.gather(*(join(f"crowd-{number:05}") for number in range(first, min(count, first + 500))))


async def costs(root: Path, members: int, counting: Counting) -> dict[str, Any]:
    """What each kind of event makes, and what the one who acts and one who watches are sent of it."""
    found: dict[str, Any] = {}
    async with gateway(root, limits={"queue_length": 1_000}) as place, AsyncExitStack() as stack:
        await gather(place, members)
        ann, bob = [await stack.enter_async_context(place.member(name)) for name in ("ann", "bob")]
        coming = await stack.enter_async_context(place.connection())
        await coming.hello(name="cleo")

        async def away() -> None:
            place.service.presence("tavern", "crowd-00007", False)

        acts: dict[str, Act] = {
            "message": lambda: ann.say("Good evening"),
            "hit": lambda: ann.say("/hit @crowd-00007 1"),
            "presence": away,
            "join": coming.join,
            "leave": lambda: coming.ask("leave", {"channel_id": "tavern"}),
        }
        for name, act in acts.items():
            await asyncio.gather(*(heard(each) for each in (ann, bob, coming)))
            counting.take()
            await act()
            found[name] = {"made": counting.take(), "ann": await heard(ann), "bob": await heard(bob), "comes": await heard(coming)}
    return found


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    with monkeypatch.context() as patches:
        yield Counting(patches)


async def test_an_event_costs_the_same_among_twenty_and_two_thousand(tmp_path: Path, counting: Counting) -> None:
    few, hundreds, thousands = [await costs(tmp_path / str(members), members, counting) for members in (20, 200, 2_000)]
    for kind in ("message", "hit", "presence", "leave"):
        assert thousands[kind] == few[kind], kind
    assert thousands["join"] == hundreds["join"], "of the first hundred the newcomer is told in any case"
    for who in ("ann", "bob"):
        assert thousands["join"][who] == few["join"][who]
    assert thousands["hit"]["bob"][1:] == [("character_changes", thousands["hit"]["bob"][1][1])]
    assert thousands["hit"]["made"] == {"Character.__init__": 4, "BarSpec.shown": 2}
    assert not any(name.endswith(("__iter__", "add_all")) for kind in ("message", "hit", "presence") for name in thousands[kind]["made"])


async def test_no_join_in_a_rush_looks_at_all_members_anew(tmp_path: Path, counting: Counting) -> None:
    async with gateway(tmp_path) as place, place.member("ann"):
        counting.take()
        await gather(place, 500)
        assert "ChangeLog.add_all" not in counting.take()
