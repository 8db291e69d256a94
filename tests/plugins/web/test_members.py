"""Members over real sockets: coming in, talking, being cut off and coming back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring import Acknowledgement
from tests.plugins.web.harness import Client, Gateway, gateway


async def test_two_members_see_each_other_at_once(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann, place.member("bob") as bob:
        answer = await ann.say("Evening!")
        assert answer["body"] == {"ok": True, "message": "", "repeated": False}
        heard = (await bob.until("Evening!"))["body"]
        assert heard["sender"] == ann.welcome["member_id"]
        assert heard["sender_name"] == "ann"
        await bob.say("/hit @ann 20")
        while (frame := await ann.next())["type"] != "character_changes" or frame["body"]["changed"][0]["name"] != "ann":
            pass
        bars = {each["name"]: each["character_context"]["bars"] for each in frame["body"]["changed"]}
        assert bars["ann"][0]["value"] == 80


async def test_a_reply_comes_before_its_acknowledgement(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        before = len(ann.frames)
        await ann.say("/hit @ann 20")
        kinds = [frame["type"] for frame in ann.frames[before:]]
        assert kinds.index("message_down") < kinds.index("ack") == len(kinds) - 1


async def test_the_same_frame_again_gets_the_first_answer_and_changes_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        first = await ann.say("/hit @ann 20", request="once")
        again = await ann.say("/hit @ann 20", request="once")
        assert (first["body"]["repeated"], again["body"]["repeated"]) == (False, True)
        refused = await ann.say("/hit", request="bad")
        assert (await ann.say("/hit", request="bad"))["body"] == {**refused["body"], "repeated": True}
        await ann.say("/bars")
        assert ann.texts()[-1] == "ann has 80 of 100 health and 100 of 100 mana."


async def test_a_frame_that_was_sent_as_the_connection_broke_is_done_once(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        async with place.member("ann") as ann:
            await ann.send("message_up", {"channel_id": "tavern", "content": {"text": "/hit @ann 20"}}, "cut-off")
            ann.socket.transport.abort()
        async with place.returning(ann.welcome["token"]) as back:
            answer = await back.say("/hit @ann 20", request="cut-off")
            assert answer["body"]["ok"]
            await back.say("/bars")
            assert back.texts()[-1] == "ann has 80 of 100 health and 100 of 100 mana."


async def test_who_comes_back_gets_what_was_missed_in_order_and_nothing_twice(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob:
        async with place.member("ann") as ann:
            await ann.say("one")
            last = (await bob.until("one"))["body"]["number"]
        for word in ("two", "/tell for bob only", "three"):
            await bob.say(word)
        async with place.returning(ann.welcome["token"], after=last) as back:
            history = next(frame["body"] for frame in back.frames if frame["type"] == "history")
            assert history["mode"] == "missed"
            assert [message["content"]["text"] for message in history["messages"]] == ["two", "three"]
            assert [message["number"] for message in history["messages"]] == [last + 1, last + 3]
            assert not [frame for frame in back.frames if frame["type"] == "message_down"], "coming back is no joining"
        async with place.returning(bob.welcome["token"], after=last) as other:
            history = next(frame["body"] for frame in other.frames if frame["type"] == "history")
            assert [(message["content"]["text"], message.get("private", False)) for message in history["messages"]] == [
                ("two", False),
                ("for bob only", True),
                ("three", False),
            ]


async def test_a_newcomer_gets_the_newest_messages_and_pages_back(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"first_messages": 5}) as place, place.member("ann") as ann:
        for number in range(12):
            await ann.say(f"word {number}")
        async with place.connection() as bob:
            await bob.hello(name="bob")
            history = await bob.join()
            assert history["mode"] == "latest"
            assert history["more"]
            assert [each["content"]["text"] for each in history["messages"]] == ["word 8", "word 9", "word 10", "word 11", "bob joined"]
            seen: list[str] = []
            while history["more"]:
                request = await bob.send("history", {"channel_id": "tavern", "before": history["messages"][0]["number"], "limit": 4})
                while (frame := await bob.next()).get("request_id") != request:
                    pass
                history = frame["body"]
                assert history["mode"] == "older"
                seen = [each["content"]["text"] for each in history["messages"]] + seen
            assert seen == ["ann joined", *(f"word {number}" for number in range(8))]


async def test_who_missed_more_than_is_kept_starts_anew(tmp_path: Path) -> None:
    async with gateway(tmp_path, limits={"history_length": 5}) as place, place.member("bob") as bob:
        async with place.member("ann") as ann:
            await ann.say("here")
            last = (await bob.until("here"))["body"]["number"]
        for number in range(9):
            await bob.say(f"word {number}")
        for after, mode in ((last, "latest"), (last + 4, "missed"), (10_000, "latest")):
            async with place.returning(ann.welcome["token"], after=after) as back:
                history = next(frame["body"] for frame in back.frames if frame["type"] == "history")
                assert history["mode"] == mode, after


async def test_progress_goes_out_at_once_and_stays_as_one_message(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        before = len(ann.frames)
        await ann.say("/brew 4")
        shown = [frame["body"] for frame in ann.frames[before:] if frame["type"] == "message_down"]
        assert [body["context"]["progress"]["done"] for body in shown] == [1, 2, 3, 4, 4]
        assert len({body["message_id"] for body in shown}) == 1
        assert [body["number"] > 0 for body in shown] == [False, False, False, False, True]


async def test_an_agent_speaks_under_its_name(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        innkeeper = await place.service.create_agent("Innkeeper")
        await place.service.send_message("Last orders!", "tavern", sender=innkeeper)
        assert (await ann.until("Last orders!"))["body"]["sender_name"] == "Innkeeper"
        async with place.returning(ann.welcome["token"]) as back:
            history = next(frame["body"] for frame in back.frames if frame["type"] == "history")
            assert history["messages"][-1]["sender_name"] == "Innkeeper"


async def test_members_whom_a_service_does_not_show_keep_their_names(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        async with place.member("bob") as bob:
            await place.service.send_characters([ann.welcome["member_id"]], "tavern")
            await bob.say("still me")
            assert (await ann.until("still me"))["body"]["sender_name"] == "bob"
        async with place.connection() as other:
            assert (await other.hello(name="bob"))["body"]["code"] == "name_taken"


async def test_presence_follows_the_last_connection(tmp_path: Path) -> None:
    async def online(watcher: Client, name: str) -> bool:
        while True:
            frame = await watcher.next()
            if frame["type"] == "character_changes":
                states = {each["name"]: each["character_context"]["online"] for each in frame["body"]["changed"]}
                if name in states:
                    return bool(states[name])

    async with gateway(tmp_path) as place, place.member("bob") as bob:
        async with place.member("ann") as ann:
            assert await online(bob, "ann")
            async with place.returning(ann.welcome["token"]):
                pass
            await ann.say("still here")
            await bob.until("still here")
        assert not await online(bob, "ann")


async def test_leaving_ends_the_membership(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, place.member("ann") as ann:
        assert (await ann.ask("leave", {"channel_id": "tavern"}))["body"]["ok"]
        await bob.until("ann left")
        assert (await ann.say("hello?"))["body"]["code"] == "not_joined"
        async with place.connection() as other:
            assert (await other.hello(name="ann"))["body"]["code"] == "name_taken", "its bearer is still connected"


@pytest.mark.parametrize(("taken", "wanted"), [("ann", "Ann"), ("ann", "аnn"), ("lisa", "Iisa"), ("ann", "a\u0323nn")])
async def test_nobody_takes_a_name_or_one_that_looks_like_it(tmp_path: Path, taken: str, wanted: str) -> None:
    async with gateway(tmp_path) as place:
        async with place.member(taken):
            pass
        async with place.connection() as client:
            answer = await client.hello(name=wanted)
            assert answer["body"]["code"] == "name_taken"
            assert (await client.hello(name="somebody-else"))["type"] == "welcome"


async def test_a_token_is_needed_to_speak_as_somebody(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        token = ann.welcome["token"]
        payload, _, signature = token.rpartition(".")
        for forged in ("", "x", token + "x", token[:-1], f"{payload}.", f".{signature}", f"{payload[:-2]}AA.{signature}", "\ud83d\ude00"):
            async with place.connection() as client:
                assert (await client.hello(token=forged))["body"]["code"] == "bad_token", forged
        async with place.connection() as client:
            answer = await client.ask("message_up", {"channel_id": "tavern", "content": {"text": "I am ann"}})
            assert answer["body"]["code"] == "hello_first"


async def test_a_channel_that_hangs_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with gateway(tmp_path, stop_timeout=0.1) as place, place.member("ann", "tavern", "library") as ann:
        slow = await ann.send("message_up", {"channel_id": "tavern", "content": {"text": "/nap 30"}})
        async with asyncio.timeout(10):
            assert (await ann.say("meanwhile", "library"))["body"]["ok"]
        assert all(frame.get("request_id") != slow for frame in ann.frames)


async def test_unknown_channels_and_channels_not_joined(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        assert (await ann.ask("join", {"channel_id": "cellar"}))["body"]["code"] == "unknown_channel"
        assert (await ann.say("hello", "library"))["body"]["code"] == "not_joined"
        assert (await ann.ask("history", {"channel_id": "library", "before": 5}))["body"]["code"] == "not_joined"


async def test_stopping_tells_everybody_finishes_what_is_in_hand_and_closes_with_1001(tmp_path: Path) -> None:
    async def live(place: Gateway) -> tuple[list[dict[str, Any]], int | None]:
        async with place.member("ann") as ann:
            request = await ann.send("message_up", {"channel_id": "tavern", "content": {"text": "/nap 0.3"}})
            await asyncio.sleep(0.1)
            stopping = asyncio.create_task(place.service.stop())
            assert (await ann.answer(None))["body"]["code"] == "stopping"
            late = await ann.say("too late?")
            assert (late["body"]["code"], late["body"]["retry"]) == ("stopping", True)
            assert (await ann.answer(request))["body"]["ok"]
            await ann.socket.wait_closed()
            await stopping
            return ann.frames, ann.socket.close_code

    async with gateway(tmp_path) as place:
        frames, code = await live(place)
    assert code == 1001
    assert [frame["body"]["content"]["text"] for frame in frames if frame["type"] == "message_down"][-1] == "awake"


async def test_an_event_that_fails_in_the_service_itself_is_answered_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        failed: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        failed.set_exception(RuntimeError("a fault of ours"))
        with monkeypatch.context() as patch:
            patch.setattr(place.service, "enqueue", lambda event: failed)
            refused = (await ann.say("good evening"))["body"]
        assert (refused["code"], refused["retry"]) == ("outcome_not_known", True)
        assert "a fault of ours" not in refused["message"]
        assert (await ann.say("good evening"))["body"]["ok"]
