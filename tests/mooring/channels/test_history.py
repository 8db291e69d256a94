"""Messages get numbers without a gap, come back as they went, and only to those whom they were for."""

from collections.abc import Sequence
from typing import Any

from mooring.channels.history import History
from mooring.events import CanvasItem, Down, MessageBody, MessageContent


def message(text: str, to: Sequence[str] | None = None, **context: Any) -> Down:
    body = MessageBody("text", "tavern", MessageContent(text=text), 5, sorted(to or []), "ann", "id-" + text, context or None)
    return Down("message_down", "tavern", body, None if to is None else frozenset(to))


def say(history: History, *downs: Down) -> list[Down]:
    numbered = history.number(downs)
    history.hand(numbered)
    history.accept(numbered)
    return list(numbered.downs)


def texts(downs: Sequence[Down]) -> list[str]:
    return [down.body.content.text for down in downs]


def test_messages_are_counted_and_updates_are_not() -> None:
    history = History({}, keep=10)
    numbered = say(history, message("a"), Down("canvas", "tavern", [CanvasItem("x")]), message("b"))
    assert [down.number for down in numbered] == [1, 0, 2]
    assert history.last == 2


def test_messages_come_back_as_they_went_after_a_restart() -> None:
    stored: dict[str, Any] = {}
    sent = say(History(stored, keep=10), message("a", command="/x"), message("b", to=["ann", "bob"]))
    assert History(stored, keep=10).find("bob") == sent


def edit(text: str, of: str) -> Down:
    body = MessageBody("text", "tavern", MessageContent(text=text), 5, [], "ann", "id-" + of)
    return Down("message_down", "tavern", body)


def test_an_edit_takes_the_place_of_the_message_and_pushes_nobody_out() -> None:
    stored: dict[str, Any] = {}
    history = History(stored, keep=3)
    say(history, message("a"), message("b"), message("c"))
    edits = [down for number in range(30) for down in say(history, edit(f"b{number}", "b"))]
    assert [down.number for down in edits] == list(range(4, 34))
    for kept in (history, History(stored, keep=3)):
        assert texts(kept.find("ann")) == ["a", "b29", "c"]
        assert [down.number for down in kept.find("ann")] == [1, 2, 3]
        assert [(down.number, down.body.content.text) for down in kept.find("ann", after=3)] == [(33, "b29")]
        assert [down.body.content.text for down in kept.find("ann", after=1)] == ["b29", "c"]
        assert kept.last == 33
    assert [down.number for down in say(history, message("d"))] == [34]
    assert texts(history.find("ann")) == ["b29", "c", "d"]


def test_a_message_and_its_edit_in_one_event_are_one_message() -> None:
    history = History({}, keep=10)
    say(history, message("a"), edit("a2", "a"))
    assert texts(history.find("ann")) == ["a2"]
    assert history.last == 2


def test_what_was_handed_in_and_not_kept_is_forgotten() -> None:
    stored: dict[str, Any] = {}
    history = History(stored, keep=10)
    say(history, message("a"))
    before = dict(stored)
    history.hand(history.number([message("b")]))
    assert [down.number for down in history.number([edit("b2", "b")]).downs] == [3]
    stored.clear()
    stored.update(before)
    history.reset()
    assert history.sent("id-b") is None
    assert [down.number for down in say(history, message("c"))] == [2]


def test_private_messages_come_back_only_to_those_whom_they_were_for() -> None:
    history = History({}, keep=10)
    say(history, message("all"), message("bob only", to=["bob"]))
    assert texts(history.find("ann")) == ["all"]
    assert texts(history.find("bob")) == ["all", "bob only"]


def test_only_the_last_are_kept_and_numbers_go_on() -> None:
    stored: dict[str, Any] = {}
    history = History(stored, keep=3)
    for letter in "abcde":
        say(history, message(letter))
    assert texts(history.find("ann")) == ["c", "d", "e"]
    assert set(stored) == {"3", "4", "5", "last"}
    assert (history.first, history.last) == (3, 5)
    again = History(stored, keep=3)
    assert [down.number for down in say(again, message("f"))] == [6]


def test_a_shorter_memory_in_the_config_drops_what_is_too_much() -> None:
    stored: dict[str, Any] = {}
    history = History(stored, keep=50)
    for number in range(20):
        say(history, message(str(number)))
    short = History(stored, keep=5)
    for number in range(20, 30):
        say(short, message(str(number)))
    assert len(stored) == 6
    assert len(short.find("ann")) == 5


def test_pages_are_found_by_number() -> None:
    history = History({}, keep=100)
    for number in range(1, 31):
        say(history, message(str(number)))
    assert texts(history.find("ann", limit=2)) == ["29", "30"]
    assert texts(history.find("ann", before=10, limit=3)) == ["7", "8", "9"]
    assert texts(history.find("ann", after=27, limit=1)) == ["28", "29", "30"]


def test_a_rolled_back_message_leaves_no_gap() -> None:
    stored: dict[str, Any] = {}
    history = History(stored, keep=10)
    history.number([message("never said")])
    stored.clear()  # the rollback; `accept` is not called
    assert [down.number for down in say(history, message("said"))] == [1]
    assert texts(history.find("ann")) == ["said"]


def test_one_unreadable_message_costs_one_message() -> None:
    stored: dict[str, Any] = {}
    say(History(stored, keep=10), message("a"), message("b"), message("c"))
    stored["2"] = {"body": "nonsense"}
    stored["what"] = 1
    history = History(stored, keep=10)
    assert texts(history.find("ann")) == ["a", "c"]
    assert history.last == 3


def test_a_lost_counter_gives_no_number_twice() -> None:
    stored: dict[str, Any] = {}
    say(History(stored, keep=10), message("a"), message("b"))
    del stored["last"]
    assert [down.number for down in say(History(stored, keep=10), message("c"))] == [3]


def test_what_is_kept_takes_no_more_bytes_than_it_may() -> None:
    stored: dict[str, Any] = {}
    history = History(stored, keep=1000, keep_bytes=100_000)
    for number in range(300):
        say(history, message(f"small {number}"))
    for number in range(60):
        say(history, message(f"{number} " + "x" * 10_000, extra="y" * 500))
    for kept in (history, History(stored, keep=1000, keep_bytes=100_000)):
        found = texts(kept.find("ann", limit=1000))
        assert [text.split()[0] for text in found] == [str(number) for number in range(60 - len(found), 60)]
        assert 80_000 < sum(map(len, found)) < 110_000
    assert len(stored) == len(history.messages()) + 1, "and the counter"
    say(history, edit("short", "59 " + "x" * 10_000), message("z" * 200_000))
    say(history, message("last"))
    assert [text[:5] for text in texts(history.find("ann"))][-1] == "last"
    say(history, message("after"))
    assert texts(history.find("ann")) == ["last", "after"], "what was larger than all may be"


def test_what_failed_counts_no_bytes() -> None:
    history = History({}, keep=1000, keep_bytes=10_000)
    say(history, message("kept"))
    history.hand(history.number([message("x" * 50_000)]))
    history.reset()
    say(history, message("also kept"))
    say(history, message("and this"))
    assert texts(history.find("ann")) == ["kept", "also kept", "and this"]
