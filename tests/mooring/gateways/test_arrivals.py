"""What happens in rooms comes in once, in the order of its room, and the mark of what was read with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mooring import Acknowledgement, Arrival, Arrivals, ChannelBusy, ClickArgument, Clicked, Left, Room, Said
from tests.service_for_tests import Driver, running

HALL = Room("matrix", "!hall:example.org")


def said(text: str, event: str, user: str = "@ann:example.org", name: str = "ann", mark: str = "", room: str = HALL.id) -> Arrival:
    return Arrival(room, event, user, name, Said.text(text), mark=mark)


@asynccontextmanager
async def hall(folder: Path) -> AsyncIterator[tuple[Driver, Arrivals]]:
    channels = [{"id": "tavern", "rooms": [str(HALL)]}, "cellar"]
    async with running(folder, channels=channels, plugins=["bars"]) as driver:
        yield driver, Arrivals(driver.service, "matrix")


def health(driver: Driver, member: str) -> int:
    return int(driver.service.channels["tavern"].health_bars[member].value)


async def test_who_says_something_comes_in_and_their_command_is_done_once_also_after_a_restart(tmp_path: Path) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        assert arrivals.mark(HALL.id) == ""
        first = await arrivals.receive(said("/hit @ann 1", "$1", mark="s1"))
        assert first == Acknowledgement("$1")
        assert {member.name for member in driver.service.members("tavern").values()} == {"ann"}
        assert arrivals.mark(HALL.id) == "s1"
        hurt = health(driver, "matrix:@ann:example.org")
    async with hall(tmp_path) as (driver, arrivals):
        assert arrivals.mark(HALL.id) == "s1"
        again = await arrivals.receive(said("/hit @ann 1", "$1", mark="s1"))
        assert again == Acknowledgement("$1", repeated=True)
        assert health(driver, "matrix:@ann:example.org") == hurt


async def test_the_mark_of_a_refused_event_is_kept_with_its_refusal(tmp_path: Path) -> None:
    async with hall(tmp_path) as (_, arrivals):
        answer = await arrivals.receive(said("/no-such-command", "$1", mark="s1"))
        assert answer is not None
        assert not answer.ok
        assert arrivals.mark(HALL.id) == "s1"


async def test_events_of_a_room_stay_in_order_whoever_hands_them_in_at_once(tmp_path: Path) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        people = [(f"@{number % 7}:example.org", f"p{number % 7}") for number in range(60)]
        events = [said(f"line {number}", f"${number}", *who, mark=f"s{number}") for number, who in enumerate(people)]
        await asyncio.gather(*map(arrivals.receive, events))
        lines = [text for text in driver.recorder.texts() if text.startswith("line")]
        assert lines == [f"line {number}" for number in range(60)]
        assert arrivals.mark(HALL.id) == "s59"


async def test_what_is_read_again_brings_nobody_back_who_has_left(tmp_path: Path) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        events = [said("hello", "$1"), Arrival(HALL.id, "$2", "@ann:example.org", "ann", Left())]
        for event in events * 2:
            answer = await arrivals.receive(event)
            assert answer is not None
            assert answer.ok
        assert dict(driver.service.members("tavern")) == {}
        await arrivals.receive(said("back again", "$3"))
        assert len(driver.service.members("tavern")) == 1


async def test_a_room_that_is_bound_to_nothing_is_not_listened_to(tmp_path: Path) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        assert await arrivals.receive(said("hello", "$1", room="!yard:example.org", mark="s1")) is None
        assert arrivals.mark("!yard:example.org") == ""
        assert dict(driver.service.members("tavern")) == {}


async def test_a_room_that_is_unbound_is_read_from_its_new_beginning_when_it_is_bound_again(tmp_path: Path) -> None:
    yard = Room("matrix", "!yard:example.org")
    async with hall(tmp_path) as (driver, arrivals):
        await driver.service.bind("cellar", yard)
        await arrivals.receive(said("hello", "$1", room=yard.id, mark="s1"))
        assert arrivals.mark(yard.id) == "s1"
        await driver.service.unbind("cellar", yard)
        await driver.service.bind("cellar", yard)
        assert arrivals.mark(yard.id) == ""


async def test_an_event_for_which_the_channel_was_busy_is_handed_in_again_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        submit, refusals = driver.service.submit, iter([ChannelBusy("tavern", 3), ChannelBusy("tavern", 2)])

        async def busy_at_first(event: object) -> Acknowledgement:
            for refusal in refusals:
                raise refusal
            return await submit(event)  # type: ignore[arg-type]

        monkeypatch.setattr(driver.service, "submit", busy_at_first)
        await asyncio.gather(*(arrivals.receive(said(f"line {number}", f"${number}")) for number in range(3)))
        assert [text for text in driver.recorder.texts() if text.startswith("line")] == ["line 0", "line 1", "line 2"]


async def test_what_storage_could_not_keep_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        submit, answers = driver.service.submit, iter([Acknowledgement("$1", ok=False, message="away", is_final=False)])

        async def away_at_first(event: object) -> Acknowledgement:
            return next(answers, None) or await submit(event)  # type: ignore[arg-type]

        monkeypatch.setattr(driver.service, "submit", away_at_first)
        assert await arrivals.receive(said("hello", "$1")) == Acknowledgement("$1")


async def test_what_comes_when_the_service_is_down_is_left_to_be_read_again(tmp_path: Path) -> None:
    async with hall(tmp_path) as (_, arrivals):
        await arrivals.receive(said("hello", "$1", mark="s1"))
    assert await arrivals.receive(said("too late", "$2", mark="s2")) is None
    async with hall(tmp_path) as (driver, arrivals):
        assert arrivals.mark(HALL.id) == "s1"
        assert await arrivals.receive(said("again", "$2", mark="s2")) == Acknowledgement("$2")
        assert "again" in driver.recorder.texts()


@pytest.mark.parametrize(
    "arrival",
    [
        said("x" * 16_001, "$1"),
        said("x", "$" * 501),
        said("x", "$1", user="@" * 501),
        Arrival(HALL.id, "$1", "@ann:example.org", "ann", Clicked("b" * 201)),
        Arrival(HALL.id, "$1", "@ann:example.org", "ann", Clicked("b", [ClickArgument("l", "v")] * 51)),
        Arrival(HALL.id, "$1", "@ann:example.org", "ann", Clicked("b", [ClickArgument("l", "v" * 16_001)])),
    ],
    ids=["text", "event", "user", "button", "arguments", "value"],
)
async def test_what_is_beyond_a_limit_is_refused_and_nobody_comes_in_by_it(tmp_path: Path, arrival: Arrival) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        answer = await arrivals.receive(arrival)
        assert answer == Acknowledgement(arrival.event_id, ok=False, message="This is longer than a message can be here.")
        assert dict(driver.service.members("tavern")) == {}


async def test_halves_of_letters_are_replaced_and_whole_ones_stay(tmp_path: Path) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        assert await arrivals.receive(said("a\ud800b \ud83d\ude00 \U0001f469", "$1")) == Acknowledgement("$1")
        assert "a\ufffdb \U0001f600 \U0001f469" in driver.recorder.texts()


@pytest.mark.parametrize(("event", "user"), [("", "@ann:example.org"), ("$1", "")])
def test_an_arrival_that_cannot_be_told_from_others_is_a_fault(event: str, user: str) -> None:
    with pytest.raises(ValueError, match="without them"):
        said("hello", event, user)


async def test_a_button_is_clicked_by_the_member_who_clicked_it_there(tmp_path: Path) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        answer = await arrivals.receive(Arrival(HALL.id, "$1", "@ann:example.org", "ann", Clicked("no-such-button")))
        assert answer is not None
        assert [member.name for member in driver.service.members("tavern").values()] == ["ann"]


@pytest.mark.parametrize("name", ["", "moderator", "<b>", "\u202eann", "@everyone", "x" * 500, "\ud800"])
async def test_nobody_is_turned_away_for_a_name(tmp_path: Path, name: str) -> None:
    async with hall(tmp_path) as (driver, arrivals):
        answer = await arrivals.receive(said("hello", "$1", name=name))
        assert answer == Acknowledgement("$1")
        (member,) = driver.service.members("tavern").values()
        assert member.name not in {"", "moderator", "@everyone"}
