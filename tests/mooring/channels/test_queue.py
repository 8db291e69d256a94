"""Turns whose commits fail come again in the channel's order, and none goes on from what failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from mooring.channels.attempt import Attempt
from mooring.channels.queue import ChannelQueue, _Job
from mooring.channels.runner import TurnRunner
from mooring.events import Acknowledgement, MessageBody, MessageContent, UpEvent
from mooring.protocols import ChannelBusy
from storage.errors import OutcomeUnknown, PredecessorFailed, StorageError, StorageUnavailable, VersionConflict
from storage.outcome import Outcome, WakeUps


class Runner:
    """Of a runner only what the queue asks for."""

    channel_id = "tavern"
    is_sound: Callable[[], bool]

    def waited(self, seconds: float) -> None: ...
    def reset(self) -> None: ...
    def show_changes(self, *, at_once: bool) -> None: ...
    def note_retry(self, failure: StorageError, attempt: int) -> None: ...


class Turns:
    """Turns that are handed in when the test lets them, and fail or succeed when it says."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.outcomes: dict[str, Outcome] = {}
        self.held: dict[str, asyncio.Event] = {}

    def run(self, name: str) -> Callable[[], Awaitable[Attempt]]:
        async def work() -> Attempt:
            self.runs.append(name)
            if name in self.held:
                await self.held[name].wait()
            self.outcomes[name] = Outcome()
            return Attempt(name, outcome=self.outcomes[name])

        return work

    def settle(self, name: str, failure: StorageError | None = None) -> None:
        wake_ups = WakeUps()
        self.outcomes.pop(name).settle(failure, wake_ups)
        wake_ups.send()


@pytest.fixture
async def queue() -> Any:
    made = ChannelQueue(cast(TurnRunner, Runner()), queue_length=100, report=lambda _: None)
    made.start()
    yield made
    await made.stop(0.1)


async def until_quiet() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_turns_that_fail_twice_stay_in_order(queue: ChannelQueue) -> None:
    turns = Turns()
    done = [queue._put(_Job(turns.run(name))) for name in "abcd"]
    await until_quiet()
    turns.held["b"] = asyncio.Event()
    turns.settle("a", VersionConflict("somebody was first"))
    for name in "bcd":
        turns.settle(name, PredecessorFailed("a failed"))
    await until_quiet()
    assert turns.runs == list("abcdab")
    turns.settle("a", VersionConflict("somebody was first again"))
    await until_quiet()
    turns.held.pop("b").set()
    await until_quiet()
    turns.settle("b", PredecessorFailed("a failed again"))
    await until_quiet()
    assert turns.runs[6:] == list("abcd")
    for name in "abcd":
        turns.settle(name)
    assert await asyncio.gather(*done) == list("abcd")


async def test_nobody_is_given_up_before_those_who_came_earlier_are_answered(queue: ChannelQueue) -> None:
    turns, answered = Turns(), []
    jobs = [_Job(turns.run(name), lambda failure: f"given up: {failure}") for name in "ab"]
    for job in jobs:
        queue._put(job).add_done_callback(lambda done: answered.append(done.result()))
    await until_quiet()
    turns.settle("a", PredecessorFailed("one before it failed"))
    turns.settle("b", StorageUnavailable("it is away"))
    await until_quiet()
    assert answered == []
    turns.settle("a")
    turns.settle("b", StorageUnavailable("it is still away"))
    await until_quiet()
    assert answered == ["a", "given up: it is still away"]


async def test_what_may_have_been_committed_is_not_called_unchanged_after_another_attempt(queue: ChannelQueue) -> None:
    turns = Turns()
    queue._put(_Job(turns.run("a")))
    done = queue._put(_Job(turns.run("b"), lambda failure: failure))
    await until_quiet()
    turns.settle("a", PredecessorFailed("one before it failed"))
    turns.settle("b", OutcomeUnknown("no answer came"))
    await until_quiet()
    turns.settle("a")
    turns.settle("b", StorageUnavailable("it is away; nothing was changed"))
    assert isinstance(await done, OutcomeUnknown)


async def test_a_turn_can_tell_that_one_before_it_failed_before_the_queue_has_heard_of_it(queue: ChannelQueue) -> None:
    turns = Turns()
    done = queue._put(_Job(turns.run("a")))
    await until_quiet()
    outcome = turns.outcomes["a"]
    turns.settle("a", VersionConflict("somebody was first"))
    assert outcome.done()
    assert not queue._runner.is_sound()
    await until_quiet()
    assert not queue._runner.is_sound()  # it is on its way again, and nobody knows how that ends
    turns.settle("a")
    await done
    assert queue._runner.is_sound()


class Events(Runner):
    """A runner that takes down whose events it runs."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.gate = asyncio.Event()

    async def event(self, event: UpEvent) -> Attempt:
        await self.gate.wait()
        self.runs.append(event.request_id)
        return Attempt(Acknowledgement(event.request_id))


def event_of(member_id: str, number: int) -> UpEvent:
    body = MessageBody("text", "tavern", MessageContent(text="hello"))
    return UpEvent("message_up", f"{member_id}{number}", "tavern", member_id, body)


@pytest.fixture
async def events() -> AsyncIterator[tuple[ChannelQueue, Events]]:
    runner = Events()
    made = ChannelQueue(cast(TurnRunner, runner), queue_length=100, report=lambda _: None)
    made.start()
    yield made, runner
    await made.stop(0.1)


async def test_whoever_sends_much_keeps_nobody_else_waiting(events: tuple[ChannelQueue, Events]) -> None:
    queue, runner = events
    floods = [queue.enqueue(event_of(f"flooder-{which}-", number)) for number in range(9) for which in range(10)]
    honest = [queue.enqueue(event_of("ann", number)) for number in range(3)]
    runner.gate.set()
    await asyncio.gather(*floods, *honest)
    places = [runner.runs.index(f"ann{number}") for number in range(3)]
    assert places == sorted(places), "each member's own order stays"
    assert places[0] <= 11
    assert places[2] <= 33
    for which in range(10):
        assert [run for run in runner.runs if run.startswith(f"flooder-{which}-")] == [f"flooder-{which}-{number}" for number in range(9)]


async def test_those_who_filled_the_queue_make_room_for_others(events: tuple[ChannelQueue, Events]) -> None:
    queue, runner = events
    floods = [queue.enqueue(event_of("flooder", 0))]
    await until_quiet()  # it is in hand
    floods += [queue.enqueue(event_of("flooder", number)) for number in range(1, 101)]
    with pytest.raises(ChannelBusy):
        queue.enqueue(event_of("flooder", 500))
    honest = [queue.enqueue(event_of(name, 0)) for name in ("ann", "bob")]
    assert queue.depth == 100
    runner.gate.set()
    assert all(answer.ok for answer in await asyncio.gather(*honest))
    results = await asyncio.gather(*floods, return_exceptions=True)
    refused = [isinstance(result, ChannelBusy) for result in results]
    assert refused == [False] * (len(floods) - 2) + [True, True], "the last ones, so that the order of the rest stays"
    assert [run for run in runner.runs if run.startswith("flooder")] == [f"flooder{number}" for number in range(len(floods) - 2)]


async def test_a_full_queue_of_many_takes_nobody_who_has_as_much_waiting(events: tuple[ChannelQueue, Events]) -> None:
    queue, runner = events
    taken = [queue.enqueue(event_of(f"member-{number}-", 0)) for number in range(100)]
    await until_quiet()
    taken.append(queue.enqueue(event_of("the last one", 0)))
    with pytest.raises(ChannelBusy):
        queue.enqueue(event_of("one more", 0))
    runner.gate.set()
    assert all(answer.ok for answer in await asyncio.gather(*taken))
