"""Health and mana, as members play with them."""

from __future__ import annotations

import pytest

from mooring.testing import Bot, Crashed, MakeBot


@pytest.fixture
def bot(make_bot_on_every_engine: MakeBot) -> Bot:
    return make_bot_on_every_engine("bars")


def test_hit_heal_cast_rest(bot: Bot) -> None:
    assert bot.say("ann", "/hit @bob 20") == "ann hits bob: 20 damage. bob has 80 of 100 health."
    assert bot.say("bob", "/heal bob 5") == "bob heals themselves: 5 health back. bob has 85 of 100 health."
    assert bot.say("ann", "/cast fireball @bob") == "ann casts fireball on bob: 25 damage. bob has 60 of 100 health. ann has 70 of 100 mana left."
    assert bot.say("ann", "/cast mend bob") == "ann casts mend on bob: 20 health back. bob has 80 of 100 health. ann has 50 of 100 mana left."
    assert bot.say("ann", "/rest") == "ann rests. ann has 100 of 100 health and 75 of 100 mana."
    assert bot.say("cleo", "/bars @bob") == "bob has 80 of 100 health and 100 of 100 mana."
    assert bot.say("cleo", "/hit @bob") == "cleo hits bob: 10 damage. bob has 70 of 100 health."


def test_a_spell_without_mana_changes_nothing(bot: Bot) -> None:
    for _ in range(3):
        bot.say("ann", "/cast fireball @bob")
    assert bot.say("ann", "/cast fireball @bob") == "fireball costs 30 mana, and you have 10 of 100. /rest gives some back."
    assert (bot.bar("mana", "ann").value, bot.bar("health", "bob").value) == (10, 25)


def test_the_last_point_is_told_once(bot: Bot) -> None:
    assert bot.say("ann", "/hit @bob 1000") == "ann hits bob: 100 damage. bob has 0 of 100 health and is down!"
    assert bot.say("ann", "/hit @bob 1") == "ann hits bob: 0 damage. bob has 0 of 100 health."


@pytest.mark.parametrize(
    "typed",
    [
        "0",
        "-1",
        "1.5",
        "9" * 400,
        "-" + "9" * 400,
        "1e3",
        "٢٠",
        "²",
        "NaN",
        "inf",
        "0x10",
        "twenty",
        "20 20",
        "",
        '"',
        '"20',
        "\x00",
        "@bob",
        "20\n/heal bob 3",
    ],
)
def test_whatever_is_typed_the_bars_stay_within_their_bounds(make_bot: MakeBot, typed: str) -> None:
    bot = make_bot("bars")
    for line in (f"/hit @bob {typed}", f"/heal @bob {typed}", f"/hit @ann {typed}", f"/cast {typed} @bob", f"/bars {typed}"):
        said = bot.say("ann", line)
        assert said
        assert "\n" not in said
        for name in ("ann", "bob"):
            for bar in ("health", "mana"):
                assert 0 <= bot.bar(bar, name).value <= 100


@pytest.mark.parametrize("name", ["Ann Lee", 'say "hi"', "a\\b", "😀", "Zoë", "-1", "20", "@x", "'; drop"])
def test_members_of_any_name_can_be_hit(make_bot: MakeBot, name: str) -> None:
    bot = make_bot("bars", members=["ann", name])
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    assert bot.say("ann", f'/hit @"{escaped}" 20') == f"ann hits {name}: 20 damage. {name} has 80 of 100 health."


def test_bars_are_the_same_after_a_restart(bot: Bot) -> None:
    bot.say("ann", "/cast fireball @bob")
    bot.restart()
    assert bot.say("cleo", "/bars bob") == "bob has 75 of 100 health and 100 of 100 mana."
    assert bot.say("cleo", "/bars ann") == "ann has 100 of 100 health and 70 of 100 mana."


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_leaves_a_command_whole_or_not_there_at_all(make_bot_on_every_engine: MakeBot, when: str) -> None:
    bot = make_bot_on_every_engine("bars")
    bot.crash_at(1, "before" if when == "before" else "after")
    with pytest.raises(Crashed):
        bot.say("ann", "/cast fireball @bob")
    done = when == "after"
    assert (bot.bar("mana", "ann").value, bot.bar("health", "bob").value) == ((70, 75) if done else (100, 100))
    bot.again()
    assert (bot.bar("mana", "ann").value, bot.bar("health", "bob").value) == (70, 75)


def test_both_bars_are_drawn(bot: Bot) -> None:
    bot.say("ann", "/cast spark @bob")
    ann = next(character for character in bot.shown("characters", "cleo") if character.name == "ann")
    assert [(bar["name"], bar["value"]) for bar in ann.character_context["bars"]] == [("health", 100), ("mana", 95)]


def test_spells_and_sizes_come_from_the_config(make_bot: MakeBot) -> None:
    settings = {
        "health": {"maximum": 10},
        "mana": {"maximum": 50, "start": 5, "regain_per_minute": 2},
        "hit": 3,
        "spells": {"zap": {"mana": 7, "damage": 4}},
    }
    bot = make_bot("bars", config={"bars": settings})
    assert bot.say("ann", "/cast zap @bob") == "zap costs 7 mana, and you have 5 of 50. /rest gives some back."
    bot.advance("1m")
    assert bot.say("ann", "/cast zap @bob") == "ann casts zap on bob: 4 damage. bob has 6 of 10 health. ann has 0 of 50 mana left."
    assert bot.say("ann", "/hit @bob") == "ann hits bob: 3 damage. bob has 3 of 10 health."
    assert bot.say("ann", "/cast fireball @bob").startswith("spell: fireball is not zap.")


def test_a_broken_bar_costs_one_bar(make_bot: MakeBot) -> None:
    bot = make_bot("bars")
    bot.storage.health_bars["bob"] = "broken"
    assert bot.say("ann", "/hit @cleo 5") == "ann hits cleo: 5 damage. cleo has 95 of 100 health."
    shown = {character.name: [bar["name"] for bar in character.character_context["bars"]] for character in bot.shown("characters", "ann")}
    assert shown == {"ann": ["health", "mana"], "bob": ["mana"], "cleo": ["health", "mana"]}
    assert "Something went wrong here" in bot.say("ann", "/hit @bob 5")
    assert bot.storage.health_bars["bob"] == "broken"
