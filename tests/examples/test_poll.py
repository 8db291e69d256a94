"""The poll of the examples."""

from __future__ import annotations

import pytest

from mooring.testing import Bot, Crashed, MakeBot

OPEN = '/poll open 10m "Tea or coffee?" tea coffee'


@pytest.fixture
def bot(make_bot_on_every_engine: MakeBot) -> Bot:
    return make_bot_on_every_engine("examples/poll.py", dicts=["polls"])


def test_a_poll_closes_at_its_time(bot: Bot) -> None:
    assert bot.say("ann", OPEN) == "Tea or coffee? Vote with /vote: tea, coffee."
    assert bot.say("bob", "/vote tea") == "1 have voted."
    assert bot.say("bob", "/vote coffee") == "1 have voted."
    assert bot.click("cleo", "vote coffee") == "2 have voted."
    assert bot.say("ann", "/vote milk") == "The choices are tea, coffee."
    bot.advance("10m")
    assert bot.heard("ann")[-1] == "The poll is closed. Tea or coffee? tea 0, coffee 2."
    assert bot.shown("buttons", "ann") == []
    assert bot.say("ann", "/vote tea") == "No poll is open."


def test_a_poll_closes_once_when_the_service_was_down_at_its_time(bot: Bot) -> None:
    bot.say("ann", OPEN)
    bot.say("bob", "/vote tea")
    bot.time += 3600
    bot.restart()
    bot.advance("1s")
    assert bot.heard("ann") == ["The poll is closed. Tea or coffee? tea 1, coffee 0."]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_the_deadline_counts_once(bot: Bot, when: str) -> None:
    bot.say("ann", OPEN)
    bot.say("bob", "/vote tea")
    bot.crash_at(1, "before" if when == "before" else "after")
    with pytest.raises(Crashed):
        bot.advance("10m")
    bot.advance("1m")
    told = [down.body.content.text for down in bot.service.history("room", "ann") if "closed" in down.body.content.text]
    assert told == ["The poll is closed. Tea or coffee? tea 1, coffee 0."]


def test_a_moderator_may_close_early(bot: Bot) -> None:
    bot.join("mo", role="moderator")
    bot.say("ann", OPEN)
    assert bot.say("ann", OPEN) == "A poll is open already."
    assert bot.say("mo", "/poll close") == "The poll is closed. Tea or coffee? tea 0, coffee 0."
    bot.say("ann", OPEN)
    bot.advance("5m")
    assert bot.say("bob", "/vote tea") == "1 have voted."
