"""One entry in the registry of kinds is enough for a kind of down to be sent, kept, encoded and documented."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from mooring import DOWN_KINDS, Context, Down, DownKind
from mooring.channels.screen import Screen
from mooring.plugins.web.protocol_page import render
from tests.plugins.web.harness import Client, gateway


@dataclass
class Poll:
    """Something to vote on."""

    question: str
    votes: int = 0


@dataclass
class Weather:
    """What it is like outside."""

    channel_id: str
    sky: str


@pytest.fixture(autouse=True)
def new_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = cast("MutableMapping[str, DownKind]", DOWN_KINDS)
    monkeypatch.setitem(kinds, "polls", DownKind("polls", list[Poll], "What can be voted on."))
    monkeypatch.setitem(kinds, "weather", DownKind("weather", Weather))


async def shown(client: Client, kind: str) -> Any:
    while not any(frame["type"] == kind for frame in client.frames):
        await client.next()
    return next(frame["body"] for frame in reversed(client.frames) if frame["type"] == kind)


async def test_a_new_kind_reaches_those_who_are_here_and_those_who_come_in_later(tmp_path: Path) -> None:
    async def ask(ctx: Context) -> None:
        ctx.show("polls", [Poll("Tea?", 2)])

    async with gateway(tmp_path) as place, place.member("ann") as ann:
        await place.service.send_update("polls", {"question": "Ale?"}, "tavern")
        assert await shown(ann, "polls") == {"channel_id": "tavern", "items": [{"question": "Ale?", "votes": 0}]}
        await place.service.in_channel("tavern", ask)
        await place.service.send_update("weather", Weather("tavern", "rain"), "tavern")
        async with place.member("bob") as bob:
            assert await shown(bob, "polls") == {"channel_id": "tavern", "items": [{"question": "Tea?", "votes": 2}]}
            assert await shown(bob, "weather") == {"channel_id": "tavern", "sky": "rain"}


def test_a_new_kind_goes_to_other_processes_as_what_it_is() -> None:
    stored: dict[str, Any] = {}
    Screen("tavern", stored, tuple).keep([Down("polls", "tavern", [Poll("Tea?", 2)]), Down("weather", "tavern", Weather("tavern", "rain"))])
    assert [down.body for down in Screen("tavern", stored, tuple).catch_up(None)] == [[Poll("Tea?", 2)], Weather("tavern", "rain")]


def test_a_new_kind_is_documented() -> None:
    page = render()
    assert "### `polls`\n\nWhat can be voted on.\n" in page
    assert "### `weather`\n\nWhat it is like outside.\n" in page
    assert "### `Poll`\n\nSomething to vote on.\n" in page


async def test_a_kind_that_is_none_is_refused_with_the_nearest(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        with pytest.raises(ValueError, match=r"no update 'poll'.*Did you mean polls\?"):
            await place.service.send_update("poll", [], "tavern")
        with pytest.raises(ValueError, match="no update 'message_down'"):
            await place.service.send_update("message_down", [], "tavern")
