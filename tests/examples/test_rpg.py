"""The role play of the examples."""

from __future__ import annotations

import pytest

from mooring.testing import Bot, MakeBot


@pytest.fixture
def bot(make_bot_on_every_engine: MakeBot) -> Bot:
    return make_bot_on_every_engine("examples/rpg.py", dicts=["gold"])


def test_work_takes_stamina_which_comes_back(bot: Bot) -> None:
    assert bot.say("ann", "/work") == "ann works and owns 1 gold. 6 stamina left."
    assert bot.say("ann", "/work") == "ann works and owns 2 gold. 2 stamina left."
    assert bot.say("ann", "/work") == "You are too tired: 2 of 10 stamina, and work takes 4."
    bot.advance("2m")
    bot.restart()
    assert bot.say("ann", "/work") == "ann works and owns 3 gold. 0 stamina left."


def test_gold_is_never_made_by_giving(bot: Bot) -> None:
    bot.say("ann", "/work")
    assert bot.say("ann", "/give @bob 1") == "ann gives 1 gold to bob."
    assert bot.say("ann", "/give @bob 1") == "You have 0 gold."
    assert bot.say("bob", "/give @bob 1") == "bob gives 1 gold to bob."
    assert bot.say("bob", "/give @ann -5") == "You have 1 gold."
    assert dict(bot.storage.gold) == {"ann": 0, "bob": 1}


def test_a_nap_once_an_hour(bot: Bot) -> None:
    bot.say("ann", "/work")
    assert bot.say("ann", "/nap") == "ann is fresh again."
    assert bot.say("ann", "/nap") == "/nap rests for you, 1h from now."
    assert bot.bar("stamina", "ann").full
