"""Who is connected to which of several processes: told by one entry for each who comes or goes."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from mooring.channels.members import Members
from mooring.channels.members_in_turn import MembersInTurn
from mooring.channels.presence import REFRESH_SECONDS, Presence


class Shared(MutableMapping[str, Any]):
    """A dict that several processes share, and what was written since somebody caught up."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self.written: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.content[key] = value
        self.written.add(key)

    def __delitem__(self, key: str) -> None:
        del self.content[key]
        self.written.add(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)


class Process:
    """One process with all members, to which some of them are connected."""

    def __init__(self, shared: Shared, names: list[str]) -> None:
        self.members = Members({})
        for name in names:
            turn = MembersInTurn(self.members)
            turn.join(name, name, None, 0.0)
            self.members.accept(turn.changes)
            self.members.connected(name, False, "gateway")
        self.presence = Presence(shared, self.members)
        self.presence.catch_up(None, 0.0)
        self._shared = shared

    def connected(self, name: str, online: bool) -> None:
        self.members.connected(name, online, "gateway")

    def say(self, now: float, *hearers: Process) -> int:
        """Announce what is due, let the others hear it, and tell how many entries that took."""
        if not self.presence.is_due(now):
            return 0
        self._shared.written.clear()
        self.presence.announced(self.presence.announce(now))
        for hearer in hearers:
            hearer.presence.catch_up(self._shared.written, now)
        return len(self._shared.written)

    def online(self) -> set[str]:
        return set(self.members.present())


NAMES = [f"m{number:04}" for number in range(3_000)]


@pytest.fixture
def processes() -> tuple[Process, Process]:
    shared = Shared()
    return Process(shared, NAMES), Process(shared, NAMES)


def test_who_comes_or_goes_is_one_entry_beside_that_of_the_process(processes: tuple[Process, Process]) -> None:
    one, other = processes
    for name in NAMES[:2_000]:
        one.connected(name, True)
    assert one.say(1.0, other) == 2_001
    assert other.online() == set(NAMES[:2_000])
    number = other.members.log.number
    one.connected("m2500", True)
    assert one.say(2.0, other) == 2
    one.connected("m0007", False)
    assert one.say(3.0, other) == 2
    assert other.online() == {*NAMES[:2_000], "m2500"} - {"m0007"}
    assert other.members.log.since(number) == {"m2500": None, "m0007": None}
    assert one.say(4.0, other) == 0, "nothing is new"
    assert one.say(4.0 + REFRESH_SECONDS, other) == 1, "now and then that they are still there"


def test_who_is_connected_to_two_processes_goes_when_both_connections_are_gone(processes: tuple[Process, Process]) -> None:
    one, other = processes
    for process in processes:
        process.connected("m0001", True)
    one.say(1.0, other)
    other.say(1.0, one)
    one.connected("m0001", False)
    one.say(2.0, other)
    assert (one.online(), other.online()) == ({"m0001"}, {"m0001"})
    other.connected("m0001", False)
    other.say(3.0, one)
    assert (one.online(), other.online()) == (set(), set())


def test_members_of_a_process_that_fell_silent_are_away_and_taken_out(processes: tuple[Process, Process]) -> None:
    one, other = processes
    for name in NAMES[:50]:
        one.connected(name, True)
    other.connected("m0100", True)
    one.say(1.0, other)
    other.say(1.0)
    assert len(other.online()) == 51
    late = 1.0 + 3 * REFRESH_SECONDS + 1
    other.say(late)
    assert other.online() == {"m0100"}
    third = Process(other._shared, NAMES)
    third.presence.catch_up(None, late)
    assert third.online() == {"m0100"}
    assert len(other._shared) == 2, "the process that is there, and its member"


def test_a_process_that_was_only_late_is_heard_again(processes: tuple[Process, Process]) -> None:
    one, other = processes
    one.connected("m0001", True)
    one.say(1.0, other)
    other.presence.catch_up((), 1.0 + 3 * REFRESH_SECONDS + 1)
    assert other.online() == set()
    one.say(1.0 + 3 * REFRESH_SECONDS + 2, other)
    assert other.online() == {"m0001"}


def test_a_process_that_was_taken_out_and_speaks_again_tells_everything_again(processes: tuple[Process, Process]) -> None:
    one, other = processes
    one.connected("m0001", True)
    one.say(1.0, other)
    other.connected("m0002", True)
    other.say(1.0 + 3 * REFRESH_SECONDS + 1, one)
    assert other.online() == {"m0002"}
    one.say(1.0 + 3 * REFRESH_SECONDS + 2, other)
    assert (one.online(), other.online()) == ({"m0001", "m0002"}, {"m0001", "m0002"})


def test_a_lost_thread_of_changes_is_picked_up_by_a_look_at_all(processes: tuple[Process, Process]) -> None:
    one, other = processes
    for _ in range(3):
        for name in NAMES:
            one.connected(name, True)
            one.connected(name, False)
    for name in NAMES[:100]:
        one.connected(name, True)
    one.say(1.0, other)
    assert other.online() == set(NAMES[:100])
