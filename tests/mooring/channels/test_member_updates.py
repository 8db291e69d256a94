"""What members are shown of each other: a list at first, and then what changes in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mooring.events import CanvasItem, Character, CharacterCount, Down, SimpleAction
from mooring.kinds import CHARACTER_CHANGES, CHARACTER_COUNT, CHARACTERS
from mooring.testing import Bot, MakeBot
from tests.service_for_tests import Driver, running

DRAWING = """
from mooring import CanvasItem, Context, command


@command(example="/draw")
def draw(ctx: Context) -> None:
    \"\"\"Draw a canvas.\"\"\"
    ctx.canvas([CanvasItem(text="drawn")])
"""


class Watcher:
    """Somebody who was shown the list when coming in, and follows what changes in it."""

    def __init__(self, driver: Driver, member_id: str) -> None:
        self.member_id = member_id
        self.characters: dict[str, Character] = {}
        self.count: CharacterCount | None = None
        self._heard = len(driver.recorder.downs)
        self._driver = driver
        self.take(driver.service.current("tavern", member_id))

    def look(self) -> dict[str, Character]:
        """What is to be seen now."""
        downs = self._driver.recorder.downs
        new, self._heard = downs[self._heard :], len(downs)
        self.take([down for down in new if self._is_for_me(down)])
        return self.characters

    def take(self, downs: Sequence[Down]) -> None:
        for down in downs:
            if down.type == CHARACTERS:
                self.characters = {each.character_id: each for each in down.body}
            elif down.type == CHARACTER_CHANGES:
                for character_id in down.body.removed:
                    self.characters.pop(character_id, None)
                self.characters |= {each.character_id: each for each in down.body.changed}
            elif down.type == CHARACTER_COUNT:
                self.count = down.body

    def _is_for_me(self, down: Down) -> bool:
        return self.member_id not in down.besides if down.recipients is None else self.member_id in down.recipients


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[Driver]:
    async with running(tmp_path, plugins=["bars"]) as driver:
        yield driver


def newest(driver: Driver) -> list[str]:
    """The kinds of the downs since this was called last."""
    found = [down.type for down in driver.recorder.downs]
    driver.recorder.downs.clear()
    return found


def health(characters: dict[str, Character], name: str) -> int:
    return next(int(bar["value"]) for bar in (characters[name].character_context or {})["bars"] if bar["name"] == "health")


async def leave(driver: Driver, name: str) -> None:
    assert (await driver.act("leave", name, SimpleAction("leave", "tavern", name))).ok


async def test_an_event_that_changes_one_member_tells_of_that_one_alone(driver: Driver) -> None:
    await driver.join("ann", "bob", "cleo")
    newest(driver)
    await driver.say("ann", "hello")
    assert newest(driver) == ["message_down"]
    await driver.say("ann", "/hit @bob 20")
    [_, down] = driver.recorder.downs
    assert (down.type, down.recipients, down.body.removed) == (CHARACTER_CHANGES, None, [])
    [bob] = down.body.changed
    assert (bob.name, health({"bob": bob}, "bob")) == ("bob", 80)


async def test_who_joins_goes_or_is_away_is_one_entry_and_a_count(driver: Driver) -> None:
    await driver.join("ann", "bob")
    ann = Watcher(driver, "ann")
    newest(driver)
    await driver.join("cleo")
    assert newest(driver) == ["message_down", CHARACTER_CHANGES, CHARACTER_COUNT]
    driver.service.presence("tavern", "cleo", False)
    driver.service.presence("tavern", "cleo", False)
    assert newest(driver) == [CHARACTER_CHANGES, CHARACTER_COUNT], "what is no news is not told"
    await leave(driver, "bob")
    [_, changes, count] = driver.recorder.downs
    assert (changes.body.changed, changes.body.removed) == ([], ["bob"])
    assert count.body == CharacterCount("tavern", total=2, online=1)
    ann._heard = 0
    assert list(ann.look()) == ["ann"]


async def test_a_rush_of_events_is_told_as_one(driver: Driver) -> None:
    await driver.join("ann", "bob")
    newest(driver)
    await asyncio.gather(*(driver.say("ann", "/hit @bob 1") for _ in range(50)))
    told = newest(driver)
    assert told.count("message_down") == 50
    assert told.count(CHARACTER_CHANGES) < 25


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_follows_the_changes_sees_what_a_newcomer_sees(driver: Driver, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"m{number}" for number in range(12)]
    helper = await driver.service.create_agent("Helper")
    await driver.join("mo", role="moderator")
    watchers = [Watcher(driver, "mo")]

    async def some(_: str) -> None:
        members = list(driver.service.members("tavern"))
        listed: list[Any] = [*chance.sample(members, chance.randint(0, len(members))), helper]
        await driver.service.send_characters(listed, "tavern", chance.choice([None, chance.sample(members, min(2, len(members)))]))

    async def all_again(name: str) -> None:
        to = chance.choice([None, name if name in driver.service.members("tavern") else "mo"])
        await driver.service.send_characters(await driver.service.fetch_member_ids("tavern"), "tavern", to)

    async def come(name: str) -> None:
        await driver.join(name, role=chance.choice([None, "moderator"]))
        watchers.append(Watcher(driver, name))

    async def go(name: str) -> None:
        if name in driver.service.members("tavern"):
            await leave(driver, name)
            watchers[:] = [each for each in watchers if each.member_id != name]

    async def away(name: str) -> None:
        driver.service.presence("tavern", name, chance.random() < 0.5)

    async def hit(name: str) -> None:
        await driver.say("mo", f"/hit @{name} 3")

    async def boss(_: str) -> None:
        await driver.say("mo", chance.choice(["/boss summon 100", "/boss hit 3"]))

    for _ in range(150):
        await chance.choice([come, come, go, away, hit, hit, hit, boss, some, all_again])(chance.choice(names))
        for watcher in watchers:
            newcomer = Watcher(driver, watcher.member_id)
            assert watcher.look() == newcomer.characters
            assert watcher.count == newcomer.count


async def test_a_crowd_is_shown_its_beginning_and_those_who_are_here_before_all_others(driver: Driver) -> None:
    await driver.join(*(f"m{number:03}" for number in range(130)))
    for number in range(40):
        driver.service.presence("tavern", f"m{number:03}", False)
    watcher = Watcher(driver, "m003")
    assert len(watcher.characters) == 100
    assert next(iter(watcher.characters)) == "m003", "who looks is there in any case"
    assert watcher.count == CharacterCount("tavern", total=130, online=90)
    online = [each for each in watcher.characters.values() if (each.character_context or {})["online"]]
    assert len(online) == 90
    await driver.say("m000", "/hit @m129 20")
    assert health(watcher.look(), "m129") == 80


async def test_the_rest_of_a_crowd_comes_page_by_page_and_by_the_beginning_of_a_name(driver: Driver) -> None:
    names = [f"{letter}{number:02}" for letter in "bAc" for number in range(50)]
    await driver.join(*names)
    pages: list[list[str]] = []
    after = ""
    while True:
        page = driver.service.characters("tavern", "b00", after=after, limit=40)
        pages.append([each.name for each in page.characters])
        if not page.following:
            break
        after = page.following
        if len(pages) == 1:
            await leave(driver, pages[0][0])  # where a page ended stays good
    assert [len(page) for page in pages] == [40, 40, 40, 30]
    assert [name for page in pages for name in page] == sorted(names, key=str.lower)
    page = driver.service.characters("tavern", "b00", prefix="a4", limit=8)
    assert ([each.name for each in page.characters][:2], bool(page.following)) == (["A40", "A41"], True)
    assert health({each.name: each for each in page.characters}, "A40") == 100
    await driver.join("a4new")
    assert "a4new" in [each.name for each in driver.service.characters("tavern", "b00", prefix="A4").characters]
    assert driver.service.characters("tavern", "b00", prefix="nobody").characters == []


async def test_where_very_much_changed_at_once_the_list_begins_anew(driver: Driver) -> None:
    await driver.join(*(f"m{number}" for number in range(120)))
    newest(driver)

    async def work(ctx: Any) -> None:
        for member in ctx.channel.members:
            ctx.bar("health", member).lose(1)

    await driver.service.in_channel("tavern", work)
    assert newest(driver) == [CHARACTERS, CHARACTER_COUNT]


async def test_a_long_list_of_a_service_is_shown_by_its_beginning_too(driver: Driver) -> None:
    await driver.join("ann", "bob")
    people = [Character(f"p{number:03}", f"Person{number:03}") for number in range(150)]
    await driver.service.send_characters(["ann", *people], "tavern", "ann")
    ann = Watcher(driver, "ann")
    assert (len(ann.characters), ann.count) == (100, CharacterCount("tavern", 151))
    assert health(ann.characters, "ann") == 100
    page = driver.service.characters("tavern", "ann", prefix="person14")
    assert [each.character_id for each in page.characters] == [f"p{number}" for number in range(140, 150)]
    assert len(driver.service.characters("tavern", "bob", prefix="person").characters) == 0


SHOWING = """
from mooring import Character, Context, command


@command(example="/cast")
def cast(ctx: Context) -> None:
    \"\"\"Show who plays.\"\"\"
    ctx.show("characters", [Character("hamlet", "Hamlet")])
"""


async def test_a_list_of_a_service_or_plugin_outlasts_a_restart_until_everybody_is_shown_again(tmp_path: Path) -> None:
    (tmp_path / "showing.py").write_text(SHOWING)

    def shown(driver: Driver, name: str) -> list[str]:
        return list(Watcher(driver, name).characters)

    async with running(tmp_path, plugins=["showing"], plugin_folders=[str(tmp_path)]) as driver:
        await driver.join("ann", "bob")
        await driver.say("ann", "/cast")
        assert shown(driver, "ann") == ["hamlet"]
    async with running(tmp_path, plugins=["showing"], plugin_folders=[str(tmp_path)]) as driver:
        assert shown(driver, "ann") == ["hamlet"]
        everybody = await driver.service.fetch_member_ids("tavern")
        await driver.service.send_characters(["bob"], "tavern")
        await driver.service.send_characters(everybody, "tavern", "ann")
    async with running(tmp_path) as driver:
        assert (shown(driver, "ann"), shown(driver, "bob")) == (["ann", "bob"], ["bob"])
        await driver.service.send_characters([], "tavern")
    async with running(tmp_path) as driver:
        assert shown(driver, "ann") == []
        await driver.service.send_characters(await driver.service.fetch_member_ids("tavern"), "tavern")
    async with running(tmp_path) as driver:
        await driver.join("cleo")
        assert shown(driver, "ann") == ["ann", "bob", "cleo"]


async def test_nothing_is_made_for_gateways_that_do_not_show_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, plugins=["bars"]) as driver:
        driver.recorder.kinds = frozenset({"message_down"})
        made: list[str] = []
        monkeypatch.setattr("mooring.bars.spec.BarSpec.shown", lambda spec, *_: made.append(spec.name))
        await driver.join("ann", "bob")
        await driver.say("ann", "/hit @bob 20")
        driver.service.presence("tavern", "bob", False)
        assert set(newest(driver)) == {"message_down"}
        assert made == []


# -- the canvas --------------------------------------------------------------------------------------------------------


def test_the_canvas_is_what_a_plugin_draws_and_nothing_else(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "drawing.py").write_text(DRAWING)
    bot: Bot = make_bot("bars", "drawing", folders=[tmp_path])
    bot.say("ann", "/hit @ann 20")
    assert bot.shown("canvas", "ann") is None
    bot.say("ann", "/draw")
    bot.say("ann", "/hit @ann 20")
    assert bot.shown("canvas", "ann") == [CanvasItem(text="drawn")]
    assert [down.body for down in bot.delivered if down.type == "canvas"] == [[CanvasItem(text="drawn")]]


async def test_who_has_several_sessions_is_online_until_the_last_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        await driver.join("ann", "bob")

        def is_online() -> bool:
            return bool((driver.service.members("tavern")["ann"].character_context or {})["online"])

        assert is_online()
        for session in (("page", 1), ("page", 2), ("page", 2), ("matrix", 1)):
            driver.service.presence("tavern", "ann", True, session)
        for session in (("page", 2), ("page", 1), ("page", 1)):
            driver.service.presence("tavern", "ann", False, session)
            assert is_online()
        driver.service.presence("tavern", "ann", False, ("matrix", 1))
        assert not is_online()
