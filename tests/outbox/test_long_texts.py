"""A text that is too long for one message of a network is several there, and one here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring import Context
from tests.outbox.running_for_tests import bound, measured, room_server
from tests.service_for_tests import Driver
from tests.waiting_for_tests import eventually

TEXTS = [f"{number} " + "word " * 20 for number in range(8)]


def newest(driver: Driver) -> str:
    return str(driver.recorder.last("message_down").message_id)


@pytest.mark.parametrize("config", [{"key_seconds": 3600}, {"find": True}], ids=["by key", "by looking back"])
async def test_answers_that_are_lost_double_and_lose_no_piece(tmp_path: Path, config: dict[str, Any]) -> None:
    async with room_server(tmp_path, remembers="key_seconds" in config) as server:
        server.silent = server.deaf = 0.2
        async with bound(tmp_path, server, longest=40, **config) as driver:
            for text in TEXTS:
                await driver.say("ann", f"/say {text}")
            await eventually(lambda: measured(driver, "results").get("sent") == 9, 60)
            pieces = server.texts()[1:]
        assert max(map(len, pieces)) <= 40
        assert " ".join(pieces).split() == " ".join(TEXTS).split()
        assert len({entry["key"] for entry in server.taken()}) == len(server.taken())


async def test_an_edit_changes_every_piece_and_a_delete_deletes_all(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, longest=10) as driver:
        await driver.say("ann", "/say one two three four")
        message_id = newest(driver)
        await eventually(lambda: server.texts()[1:] == ["one two", "three four"])

        async def edit(text: str) -> None:
            async def change(ctx: Context) -> None:
                ctx.messages.edit(message_id, text)

            await driver.service.in_channel("tavern", change)

        await edit("five")
        await eventually(lambda: [*server.shown().values()][1:] == ["five", "…"])
        await edit("six and seven and eight")
        await eventually(lambda: [*server.shown().values()][1:] == ["six and", "seven and…"])

        async def delete(ctx: Context) -> None:
            ctx.messages.delete(message_id)

        await driver.service.in_channel("tavern", delete)
        await eventually(lambda: [*server.shown().values()] == ["ann joined"])


async def test_a_later_piece_that_is_refused_holds_up_nothing(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, longest=12, key_seconds=3600) as driver:
        await driver.say("ann", "/say good words forbidden")
        await driver.say("ann", "/say and on")
        await eventually(lambda: server.texts()[-1] == "and on")
        assert measured(driver, "results")["refused"] == 1
