"""What a channel says arrives in the rooms that it is bound to: once, in order, and told apart from what does not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring import Context, MessageBody, MessageContent, Room, SimpleAction, UpEvent, network_member_id
from tests.outbox.running_for_tests import bound, measured, room_server
from tests.service_for_tests import Driver, running
from tests.waiting_for_tests import eventually


async def test_what_is_said_arrives_in_all_rooms_in_order(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, rooms=["rooms/hall", "rooms/yard"]) as driver:
        for number in range(20):
            await driver.say("ann", f"/say {number}")
        await eventually(lambda: len(server.texts("yard")) == len(server.texts("hall")) == 21)
        assert server.texts("hall") == server.texts("yard") == ["ann joined", *map(str, range(20))]
        assert {entry["key"] for entry in server.taken("hall")}.isdisjoint(entry["key"] for entry in server.taken("yard"))
        await eventually(lambda: measured(driver, "entries") == {})


async def test_what_waits_is_sent_when_the_network_is_back_and_after_a_restart(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server:
        server.is_away = True
        async with bound(tmp_path, server) as driver:
            await driver.say("ann", "/say one")
            assert measured(driver, "entries") == {"rooms": 2.0}
        async with bound(tmp_path, server) as driver:
            await driver.say("ann", "/say two")
            await asyncio.sleep(0.1)
            assert server.texts() == []
            server.is_away = False
            driver.service.send_again("rooms")
            await eventually(lambda: len(server.texts()) == 3)
        assert server.texts() == ["ann joined", "one", "two"]
        async with bound(tmp_path, server) as driver:
            await asyncio.sleep(0.1)
        assert server.texts() == ["ann joined", "one", "two"], "and not once more"


async def test_what_is_refused_is_passed_over_and_counted(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server:
        async with bound(tmp_path, server) as driver:
            for text in ("one", "a forbidden word", "two"):
                await driver.say("ann", f"/say {text}")
            await eventually(lambda: measured(driver, "results") == {"sent": 3.0, "refused": 1.0})
            assert server.texts() == ["ann joined", "one", "two"]
        async with bound(tmp_path, server) as driver:
            assert measured(driver, "results") == {"sent": 3.0, "refused": 1.0}, "the counts survive a restart"


@pytest.mark.parametrize("config", [{"key_seconds": 3600}, {"find": True}], ids=["by key", "by looking back"])
async def test_answers_that_are_lost_double_nothing(tmp_path: Path, config: dict[str, Any]) -> None:
    async with room_server(tmp_path, remembers="key_seconds" in config) as server:
        server.silent = server.deaf = 0.3
        async with bound(tmp_path, server, **config) as driver:
            for number in range(10):
                await driver.say("ann", f"/say {number}")
            await eventually(lambda: len(server.texts()) == 11, 30)
            assert server.texts() == ["ann joined", *map(str, range(10))]
            await eventually(lambda: measured(driver, "results").get("sent") == 11)
            assert measured(driver, "results").get("unsure", 0) == 0
            assert measured(driver, "results")["retries"] > 0


async def test_where_nothing_can_be_told_a_message_is_sent_at_most_once_and_counted(tmp_path: Path) -> None:
    async with room_server(tmp_path, remembers=False) as server:
        server.silent = server.deaf = 0.3
        async with bound(tmp_path, server) as driver:
            for number in range(30):
                await driver.say("ann", f"/say {number}")
            await eventually(lambda: sum(measured(driver, "results").get(name, 0) for name in ("sent", "unsure")) == 31)
            results = measured(driver, "results")
        assert server.doubled() == []
        assert results["sent"] <= len(server.texts()) < 31
        assert results["unsure"] > 0


async def test_a_room_may_rather_have_it_twice(tmp_path: Path) -> None:
    async with room_server(tmp_path, remembers=False) as server:
        server.silent = 0.5
        rooms = [{"network": "rooms", "id": "hall", "when_unsure": "repeat"}]
        async with bound(tmp_path, server, rooms=rooms) as driver:
            for number in range(10):
                await driver.say("ann", f"/say {number}")
            await eventually(lambda: measured(driver, "results").get("sent") == 11, 30)
        assert list(dict.fromkeys(server.texts())) == ["ann joined", *map(str, range(10))]
        assert server.doubled()


async def test_edits_and_deletes_find_their_message_also_after_a_restart(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server:
        async with bound(tmp_path, server) as driver:
            one, two = await driver.service.in_channel("tavern", lambda ctx: _say(ctx, "one", "two"))
            await eventually(lambda: "two" in server.texts())
        async with bound(tmp_path, server) as driver:
            await driver.service.in_channel("tavern", lambda ctx: _edit(ctx, one, "uno"))
            await driver.service.in_channel("tavern", lambda ctx: _delete(ctx, two))
            await eventually(lambda: list(server.shown().values()) == ["ann joined", "uno"])


async def test_a_room_without_edits_gets_a_new_message_that_answers_the_old(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, edit=False) as driver:
        (one,) = await driver.service.in_channel("tavern", lambda ctx: _say(ctx, "one"))
        await driver.service.in_channel("tavern", lambda ctx: _edit(ctx, one, "uno"))
        await eventually(lambda: "uno" in server.texts())
        before, after = server.taken()[-2:]
        assert (before["text"], after["text"], after["reply_to"]) == ("one", "uno", before["id"])
        await driver.service.in_channel("tavern", lambda ctx: _delete(ctx, one))
        await eventually(lambda: measured(driver, "results").get("refused") == 1)


async def test_of_many_edits_that_wait_only_the_newest_is_sent(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server) as driver:
        (one,) = await driver.service.in_channel("tavern", lambda ctx: _say(ctx, "0"))
        await eventually(lambda: "0" in server.texts())
        server.is_away = True
        for number in range(1, 30):
            await driver.service.in_channel("tavern", lambda ctx, text=str(number): _edit(ctx, one, text))  # type: ignore[misc]
        server.is_away = False
        driver.service.send_again("rooms")
        await eventually(lambda: server.shown()[server.taken()[1]["id"]] == "29")
        assert len([entry for entry in server.taken() if entry["kind"] == "edit"]) <= 2
        await eventually(lambda: measured(driver, "results").get("passed_over", 0) >= 27)


async def test_too_much_gives_way_to_one_notice(tmp_path: Path) -> None:
    limits = {"limits": {"outbox_length": 10}}
    async with room_server(tmp_path) as server:
        server.is_away = True
        async with bound(tmp_path, server, service=limits) as driver:
            for number in range(30):
                await driver.say("ann", f"/say {number}")
            assert measured(driver, "entries") == {"rooms": 10.0}
        async with bound(tmp_path, server, service=limits) as driver:
            await driver.say("ann", "/say last")
            server.is_away = False
            driver.service.send_again("rooms")
            await eventually(lambda: "last" in server.texts())
        # The oldest stays: it may have been on its way.
        assert server.texts() == ["ann joined", "22 messages were not delivered.", *map(str, range(22, 30)), "last"]


async def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server:
        server.is_away = True
        async with bound(tmp_path, server, service={"limits": {"outbox_bytes": 20_000}}) as driver:
            for _ in range(30):
                await driver.say("ann", f"/say {'x' * 2000}")
            assert 5 <= measured(driver, "entries")["rooms"] <= 10


async def test_one_room_that_is_away_holds_up_no_other_and_drops_nothing_of_it(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server:
        rooms = ["rooms/hall", "nowhere/attic"]
        async with bound(tmp_path, server, rooms=rooms, service={"limits": {"outbox_length": 5}}) as driver:
            for number in range(30):
                await driver.say("ann", f"/say {number}")
                await eventually(lambda number=number: len(server.texts()) == number + 2)  # type: ignore[misc]
            await eventually(lambda: measured(driver, "entries") == {"nowhere": 5.0})


async def test_what_is_old_is_a_problem_but_keeps_the_service_ready(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    async with room_server(tmp_path) as server:
        server.is_away = True
        async with bound(tmp_path, server, service={"clock": lambda: now[0]}) as driver:
            assert driver.service.health()["problems"] == []
            now[0] += 3600
            health = await asyncio.to_thread(driver.service.health)
            assert health["problems"] == ["channel tavern: 1 message waits for the network rooms, the oldest for 60 minutes"]
            assert health["ready"] is True
            assert measured(driver, "oldest_seconds") == {"rooms": 3600.0}


async def test_rooms_are_bound_and_unbound_while_the_service_runs(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server:
        async with bound(tmp_path, server, rooms=[]) as driver:
            await driver.say("ann", "/say unheard")
            await driver.service.bind("tavern", Room("rooms", "yard"))
            await driver.say("ann", "/say one")
        async with bound(tmp_path, server, rooms=["rooms/hall"]) as driver:
            assert driver.service.channel_of(Room("rooms", "yard")) == "tavern"
            await driver.say("ann", "/say two")
            await eventually(lambda: server.texts("yard") == ["one", "two"])
            await driver.service.unbind("tavern", Room("rooms", "yard"))
            assert driver.service.channel_of(Room("rooms", "yard")) is None
            await driver.say("ann", "/say three")
            await eventually(lambda: server.texts("hall") == ["two", "three"])
            assert server.texts("yard") == ["one", "two"]
            with pytest.raises(ValueError, match="config"):
                await driver.service.unbind("tavern", Room("rooms", "hall"))


async def test_a_room_is_bound_to_one_channel(tmp_path: Path) -> None:
    async with running(tmp_path, channels=["tavern", {"id": "market", "rooms": ["rooms/hall"]}]) as driver:
        with pytest.raises(ValueError, match="market"):
            await driver.service.bind("tavern", Room("rooms", "hall"))


async def test_private_messages_go_only_where_they_can_be_private(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, rooms=["rooms/hall", "others/den"], private=True) as driver:
        bob = network_member_id("rooms", "@bob:home")
        await driver.join(bob)
        await driver.say("ann", "hello", to=[bob])
        await driver.service.send_message("for ann", "tavern", recipients=["ann"])
        await driver.say("ann", "/say for all")
        await eventually(lambda: "for all" in server.texts())
        assert [(entry["text"], entry["users"]) for entry in server.taken()[-2:]] == [("hello", ["@bob:home"]), ("for all", None)]


async def test_a_room_that_shows_all_to_everybody_never_gets_a_private_message(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server) as driver:
        bob = network_member_id("rooms", "@bob:home")
        await driver.join(bob)
        await driver.service.send_message("a secret", "tavern", recipients=[bob])
        await driver.say("ann", "/say for all")
        await eventually(lambda: "for all" in server.texts())
        assert "a secret" not in server.texts()
        assert measured(driver, "results")["refused"] == 1


async def test_what_came_from_a_room_is_not_said_there_again_and_an_answer_finds_its_question(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, rooms=["rooms/hall", "rooms/yard"]) as driver:
        bob = network_member_id("rooms", "@bob:home")
        await driver.act("join", bob, SimpleAction("join", "tavern", bob, {"name": "bob"}))
        for request, text in (("$1", "good evening"), ("$2", "/say hi")):
            body = MessageBody("text", "tavern", MessageContent(text=text))
            await driver.service.submit(UpEvent("message_up", request, "tavern", bob, body, room=Room("rooms", "hall")))
        await eventually(lambda: "hi" in server.texts("yard"))
        assert [(entry["text"], entry["sender"], entry["reply_to"]) for entry in server.taken("hall")[2:]] == [("hi", "", "$2")]
        yard = [(entry["text"], entry["sender"], entry["reply_to"]) for entry in server.taken("yard")[2:]]
        assert yard == [("good evening", "bob", ""), ("hi", "", "")]


async def test_an_event_that_is_undone_sends_nothing(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server) as driver:

        async def fail(ctx: Context) -> None:
            ctx.reply("never")
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await driver.service.in_channel("tavern", fail)
        await driver.say("ann", "/say after")
        await eventually(lambda: "after" in server.texts())
        assert server.texts() == ["ann joined", "after"]


async def test_stopping_finishes_the_send_in_hand(tmp_path: Path) -> None:
    async with room_server(tmp_path, remembers=False) as server:
        server.slow = 1.0
        async with bound(tmp_path, server) as driver:
            for number in range(5):
                await driver.say("ann", f"/say {number}")
        assert len(server.texts()) <= 2
        server.slow = 0.0
        async with bound(tmp_path, server) as driver:
            await eventually(lambda: measured(driver, "results").get("sent") == 6)
        assert server.texts() == ["ann joined", *map(str, range(5))]
        assert driver.recorder.texts() == []


async def test_the_outbox_does_not_grow_with_what_has_arrived(tmp_path: Path) -> None:
    async with room_server(tmp_path) as server, bound(tmp_path, server, count_to=300) as driver:
        await eventually(lambda: len(server.texts()) == 301, 30)
        await eventually(lambda: _kept(driver) < 70)
        assert [text for text in server.texts() if text != "ann joined"] == [f"m{number + 1}" for number in range(300)]


def _kept(driver: Driver) -> int:
    return len(driver.service.channels["tavern"].system("outbox"))


async def _say(ctx: Context, *texts: str) -> list[str]:
    return [ctx.reply(text).id for text in texts]


async def _edit(ctx: Context, message_id: str, text: str) -> None:
    ctx.messages.edit(message_id, text)


async def _delete(ctx: Context, message_id: str) -> None:
    ctx.messages.delete(message_id)
