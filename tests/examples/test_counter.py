"""The counter of the examples."""

from __future__ import annotations

import pytest

from mooring.testing import Crashed, MakeBot


def test_it_counts_for_each_member(make_bot_on_every_engine: MakeBot) -> None:
    bot = make_bot_on_every_engine("examples/counter.py", dicts=["counts"])
    assert bot.say("ann", "/count") == "ann is at 1."
    assert bot.say("ann", "/count 4") == "ann is at 5."
    assert bot.say("bob", "/count") == "bob is at 1."
    bot.restart()
    assert bot.say("ann", "/count") == "ann is at 6."


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_and_a_client_that_sends_again_count_once(make_bot_on_every_engine: MakeBot, when: str) -> None:
    bot = make_bot_on_every_engine("examples/counter.py", dicts=["counts"])
    bot.crash_at(2, "before" if when == "before" else "after")
    bot.say("ann", "/count")
    with pytest.raises(Crashed):
        bot.say("ann", "/count")
    bot.again()
    assert bot.say("ann", "/count 0") == "ann is at 2."
