"""One boss and many who hit it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mooring.testing import Bot, Crashed, MakeBot


@pytest.fixture
def bot(make_bot: MakeBot) -> Bot:
    bot = make_bot("bars")
    bot.join("mo", role="moderator")
    return bot


def test_a_boss_from_beginning_to_end(bot: Bot) -> None:
    assert bot.say("ann", "/boss hit") == "The dragon is not here. A moderator can /boss summon it."
    assert bot.say("ann", "/boss summon") == "/boss summon is for moderators of this channel."
    assert bot.say("mo", "/boss summon 50") == "The dragon appears, with 50 health!"
    assert bot.say("ann", "/boss hit 20") == "ann hits The dragon: 20 damage. 30 of 50 health left."
    assert bot.say("bob", "/boss hit 20") == "bob hits The dragon: 20 damage. 10 of 50 health left. The dragon is half beaten."
    assert bot.say("cleo", "/boss") == "The dragon has 10 of 50 health."
    assert bot.say("ann", "/boss hit 11") == "ann strikes the last blow: The dragon is down!"
    assert bot.say("ann", "/boss") == "The dragon is not here. A moderator can /boss summon it."


def test_the_boss_appears_in_the_page(bot: Bot) -> None:
    assert [character.name for character in bot.shown("characters", "ann")] == ["ann", "bob", "cleo", "mo"]
    bot.say("mo", "/boss summon 50")
    dragon = bot.shown("characters", "ann")[-1]
    assert dragon.name == "The dragon"
    assert dragon.character_context["bars"] == [{"name": "boss", "label": "The dragon", "value": 50, "maximum": 50, "colour": "#8a4fd0"}]


@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_members_at_once_with_crashes_in_between(make_bot_on_every_engine: MakeBot, seed: int) -> None:
    names = [f"m{number}" for number in range(200)]
    bot = make_bot_on_every_engine("bars", members=names, seed=seed)
    bot.join("mo", role="moderator")
    bot.say("mo", "/boss summon 100000")
    chance = random.Random(seed)
    damage = {name: chance.randint(1, 100) for name in names}
    lines = [(name, f"/boss hit {points}") for name, points in damage.items()]
    for _ in range(3):
        bot.crash_at(chance.randint(1, 60), chance.choice(["before", "after"]))
        with pytest.raises(Crashed):
            bot.together(*lines)
        assert bot.bar("boss", "").value > 100000 - sum(damage.values())
        bot.together_again()
        assert bot.bar("boss", "").value == 100000 - sum(damage.values())
        bot.say("mo", "/boss summon 100000")


def test_a_handler_that_raises_halfway_leaves_nothing(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text('''
from mooring import Context, command

@command(example="/half")
async def half(ctx: Context) -> None:
    """Change things and fail."""
    ctx.storage.notes["list"].append(2)
    ctx.storage.notes["deep"]["a"]["b"] = "changed"
    ctx.storage.notes["new"] = 1
    ctx.bar("health").lose(50)
    ctx.reply("done!")
    raise RuntimeError("halfway")
''')
    bot = make_bot_on_every_engine("bars", str(tmp_path / "half.py"), dicts=["notes"])
    before = {"list": [1], "deep": {"a": {"b": "old"}}}
    bot.storage.notes.update(before)
    assert bot.say("ann", "/half").startswith("Something went wrong here (reference ")
    assert (dict(bot.storage.notes), bot.bar("health", "ann").value) == (before, 100)
    bot.restart()
    assert (dict(bot.storage.notes), bot.bar("health", "ann").value) == (before, 100)
    assert "done!" not in bot.heard("ann")
