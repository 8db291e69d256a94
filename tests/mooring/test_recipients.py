"""For whom a message is: everybody, some, nobody, or the service alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mooring import MessageBody, MessageContent, Moobius
from mooring.recipients import Everyone
from mooring.types import TEXT
from tests.service_for_tests import Driver, json_dicts, running


class Relay(Moobius):
    """Sends on what members say, to whom the text asks for."""

    heard: Any = None

    async def on_message_up(self, message: MessageBody) -> None:
        self.heard = message
        everyone = await self.fetch_member_ids(message.channel_id)
        ids: Any = message.recipients
        match message.content.text:
            case "some":
                ids = [each for each in ids if each != "bob"]
            case "nested":
                ids = [everyone]
            case "set":
                ids = set(everyone)
            case "keys":
                ids = dict.fromkeys(everyone)
            case "generator":
                ids = (each for each in everyone)
            case "characters":
                ids = await self.fetch_character_profile(everyone)
            case "removed":
                everyone.remove(message.sender)
                ids = everyone
            case "added":
                ids = ["bob"] + everyone  # noqa: RUF005 - as bots write it
            case "filtered in place":
                message.recipients = [each for each in ids if each == "nobody"]
                await self.send_message(message)
                return
            case "made":
                await self.send_message(MessageBody(TEXT, message.channel_id, MessageContent("made by hand"), sender="ann"))
                return
        await self.send_message(message, recipients=ids)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Driver[Relay]]:
    async with running(tmp_path, Relay, db_config=json_dicts(tmp_path, "kept")) as driver:
        await driver.join("ann", "bob", "cid")
        yield driver


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ("plain", None),
        ("nested", None),
        ("some", {"ann", "cid"}),
        ("set", {"ann", "bob", "cid"}),
        ("keys", {"ann", "bob", "cid"}),
        ("generator", {"ann", "bob", "cid"}),
        ("characters", {"ann", "bob", "cid"}),
        ("removed", {"bob", "cid"}),
        ("added", {"ann", "bob", "cid"}),
        ("made", None),
    ],
)
async def test_any_collection_of_ids_or_characters(relay: Driver[Relay], text: str, reached: set[str] | None) -> None:
    assert (await relay.say("ann", text)).ok
    assert relay.recorder.downs[-1].recipients == reached


async def test_a_message_whose_recipients_were_all_taken_out_reaches_nobody(relay: Driver[Relay]) -> None:
    before = len(relay.recorder.downs)
    assert (await relay.say("ann", "filtered in place")).ok
    assert len(relay.recorder.downs) == before


async def test_a_message_for_the_service_alone_has_no_recipients(relay: Driver[Relay]) -> None:
    before = len(relay.recorder.downs)
    assert (await relay.say("ann", "psst", to=["service"])).ok
    assert (relay.service.heard.recipients, bool(relay.service.heard.recipients), len(relay.recorder.downs)) == ([], False, before)
    assert (await relay.say("ann", "psst", to=["service", "bob"])).ok
    assert relay.service.heard.recipients == ["ann", "bob"]


async def test_a_member_may_be_called_service(relay: Driver[Relay]) -> None:
    await relay.join("service")
    await relay.say("ann", "psst", to=["service"])
    assert relay.service.heard.recipients == ["ann", "service"]


async def test_those_who_are_no_members_are_left_out(relay: Driver[Relay]) -> None:
    await relay.say("ann", "psst", to=["stranger"])
    assert relay.service.heard.recipients == ["ann"]


class TestEveryone:
    def test_it_reads_as_a_list(self) -> None:
        everyone = Everyone({"ann": 1, "bob": 2})
        assert everyone == ["ann", "bob"]
        assert (everyone[0], everyone[-1], everyone[:1], len(everyone), "bob" in everyone) == ("ann", "bob", ["ann"], 2, True)
        assert (everyone.index("bob"), everyone.copy()) == (1, ["ann", "bob"])
        assert (["x"] + everyone, everyone + ["x"]) == (["x", "ann", "bob"], ["ann", "bob", "x"])  # noqa: RUF005
        assert everyone.is_everyone

    @pytest.mark.parametrize(
        ("change", "left"),
        [
            (lambda ids: ids.remove("bob"), ["cid", "ann"]),
            (lambda ids: ids.append("eve"), ["cid", "ann", "bob", "eve"]),
            (lambda ids: ids.pop(), ["cid", "ann"]),
            (lambda ids: ids.sort(reverse=True), ["cid", "bob", "ann"]),
            (lambda ids: ids.__setitem__(0, "x"), ["x", "ann", "bob"]),
            (lambda ids: ids.__delitem__(slice(1, None)), ["cid"]),
            (lambda ids: ids.__iadd__(["eve"]), ["cid", "ann", "bob", "eve"]),
            (lambda ids: ids.clear(), []),
        ],
    )
    def test_a_change_makes_it_a_list_of_its_own(self, change: Any, left: list[str]) -> None:
        members = {"cid": 3, "ann": 1, "bob": 2}
        everyone = Everyone(members)
        change(everyone)
        assert everyone == left
        assert not everyone.is_everyone
        assert list(members) == ["cid", "ann", "bob"]
