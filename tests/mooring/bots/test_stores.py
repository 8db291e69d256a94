"""State that plugins declare in code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mooring import Store
from mooring.made_channels import MadeChannel
from mooring.service.wiping import wipe
from mooring.testing import Bot, Crashed, MakeBot
from storage import ConfigError, MoobiusStorage
from storage.json_config import read_json
from tests.mooring.bots.stores_for_tests import BASKETS

BASE = '''
from mooring import Context, Member, Store, command

praises = Store("praises", model=int, default=0)
topic = Store("topic", model=str, default="nothing", scope="channel")

@command(example="/praise @ann")
def praise(ctx: Context, target: Member) -> str:
    """Praise somebody."""
    praises[ctx, target] += 1
    return f"{ctx.get(praises, target)} for {target}, {praises[ctx]} for you"

@command(example="/best")
async def best(ctx: Context) -> str:
    """Say who has what."""
    return str(sorted(praises.all(ctx).items()))

@command(example="/forget")
async def forget(ctx: Context) -> str:
    """Begin anew."""
    del praises[ctx]
    return str(praises[ctx])

@command(example="/topic tea")
async def talk(ctx: Context, about: str) -> str:
    """Change the topic."""
    before = topic[ctx]
    topic[ctx] = about
    return f"{before}, then {topic[ctx]}"

@command(example="/wrong")
async def wrong(ctx: Context) -> None:
    """Keep what is not declared."""
    praises[ctx] = "many"
'''


def made(make_bot: MakeBot, folder: Path, source: str, name: str = "kind", **more: Any) -> Bot:
    (folder / f"{name}.py").write_text(source)
    return make_bot(str(folder / f"{name}.py"), **more)


def test_a_declared_store_needs_no_entry(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot_on_every_engine, tmp_path, BASE)
    assert bot.say("ann", "/praise @bob") == "1 for bob, 0 for you"
    assert bot.say("bob", "/praise @bob") == "2 for bob, 2 for you"
    assert bot.say("bob", "/talk tea") == "nothing, then tea"
    bot.restart()
    assert bot.say("ann", "/talk mead") == "tea, then mead"
    assert bot.say("ann", "/best") == "[('bob', 2)]"
    assert bot.say("bob", "/forget") == "0"
    assert bot.say("ann", "/best") == "[]"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_loses_nothing_of_it_and_counts_nothing_twice(make_bot_on_every_engine: MakeBot, tmp_path: Path, when: Any) -> None:
    bot = made(make_bot_on_every_engine, tmp_path, BASE)
    bot.say("ann", "/praise @bob")
    bot.crash_at(1, when)
    with pytest.raises(Crashed):
        bot.say("ann", "/praise @bob")
    bot.again()
    assert bot.say("ann", "/best") == "[('bob', 2)]"


def test_what_is_not_declared_is_not_kept(make_bot: MakeBot, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bot = made(make_bot, tmp_path, BASE)
    assert "Something went wrong" in bot.say("ann", "/wrong")
    assert "kind.praises['ann'] is not what is declared: a int was expected, not a str" in caplog.text
    assert bot.say("ann", "/best") == "[]"


@pytest.mark.parametrize("basket", BASKETS)
def test_models_are_kept_as_they_are_at_the_end(make_bot_on_every_engine: MakeBot, tmp_path: Path, basket: str) -> None:
    bot = made(make_bot_on_every_engine, tmp_path, BASKETS[basket])
    assert bot.say("ann", "/look") == "0 []"
    assert bot.storage.names()[-1] == "kind.baskets"
    assert len(getattr(bot.storage, "kind.baskets")) == 0, "a look at the default writes nothing"
    assert bot.say("ann", "/put apple") == "1 ['apple']"
    assert bot.say("ann", "/put pear") == "2 ['apple', 'pear']"
    assert "Something went wrong" in bot.say("ann", "/drop")
    assert bot.say("ann", "/look") == "2 ['apple', 'pear']"
    bot.restart()
    assert bot.say("ann", "/look") == "2 ['apple', 'pear']"
    assert "Something went wrong" in bot.say("ann", "/spoil")
    assert bot.say("ann", "/look") == "2 ['apple', 'pear']"


HOOKS = (
    BASKETS["pydantic"]
    + '''
async def on_message_up(ctx, event):
    """Change it, and fail if it is told to."""
    baskets[ctx].items.append("hook")
    if event.content.text == "fail":
        raise ValueError
'''
)


def test_a_hook_that_fails_takes_back_what_it_did_to_a_model(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot, tmp_path, HOOKS)
    bot.say("ann", "hello")
    bot.say("ann", "fail")
    assert bot.say("ann", "/look") == "0 ['hook']"


OTHER = """
from mooring import Context, Store, command

praises = Store("praises", model=int, default=100)

@command(example="/blame")
async def blame(ctx: Context) -> str:
    \"\"\"Count down.\"\"\"
    praises[ctx] -= 1
    return str(praises[ctx])
"""


def test_two_plugins_stores_never_meet(make_bot: MakeBot, tmp_path: Path) -> None:
    for name, source in (("kind", BASE), ("stern", OTHER)):
        (tmp_path / f"{name}.py").write_text(source)
    bot = make_bot(str(tmp_path / "kind.py"), str(tmp_path / "stern.py"))
    assert bot.say("ann", "/praise @ann") == "1 for ann, 1 for you"
    assert bot.say("ann", "/blame") == "99"
    assert bot.say("ann", "/best") == "[('ann', 1)]"


MOVED = '''
from mooring import Context, Store, command

praises = Store("praises", model=dict[str, int], default={}, version=2, steps={1: lambda count: {"all": count}})

@command(example="/mine")
async def mine(ctx: Context) -> str:
    """Say what there is."""
    return str(praises[ctx])
'''


def test_values_of_an_older_version_are_migrated(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot, tmp_path, BASE)
    bot.say("ann", "/praise @ann")
    bot.close()
    (tmp_path / "kind.py").write_text(MOVED)
    bot.restart()
    assert bot.say("ann", "/mine") == "{'all': 1}"
    assert bot.say("bob", "/mine") == "{}"


@pytest.mark.parametrize(
    "declaration",
    [
        'Store("a b", model=int, default=0)',
        'Store("praises", model=int, default="none")',
        'Store("praises", model=int, default=0, scope="world")',
        'Store("praises", model=int, default=0, version=2)',
        '(Store("praises", model=int, default=0), Store("praises", model=int, default=0))[0]\nother = Store("praises", model=int, default=0)',
    ],
)
def test_what_cannot_be_declared_keeps_the_service_from_starting(make_bot: MakeBot, tmp_path: Path, declaration: str) -> None:
    with pytest.raises(ConfigError, match=r"praises|a b"):
        made(make_bot, tmp_path, f"from mooring import Store\npraises = {declaration}\n")


def test_the_config_says_where_stores_live(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {"implementation": "json", "name": "gold", "settings": {"root_dir": str(tmp_path / "gold")}},
        {"implementation": "json", "name": "*", "settings": {"root_dir": str(tmp_path / "stores")}},
        {"implementation": "null", "name": "kind.moods"},
    ]
    with MoobiusStorage("1", "tavern", entries) as storage:
        for name in ("kind.praises", "kind.moods"):
            storage.declare(name)["ann"] = 1
        assert storage.names() == ("gold", "kind.praises", "kind.moods")
        with storage.transaction(), pytest.raises(Exception, match="inside a transaction"):
            storage.declare("kind.more")
    assert read_json(tmp_path / "stores/service_1/channel_tavern/kind-praises.json")["ann"] == 1
    assert not list((tmp_path / "gold").rglob("kind*")), "the first entry has none of them"
    with MoobiusStorage("1", "tavern", entries[:1]) as storage:
        storage.declare("kind.praises")["ann"] = 2
    assert read_json(tmp_path / "gold/service_1/channel_tavern/kind-praises.json")["ann"] == 2


@pytest.mark.parametrize("entries", [[], [{"implementation": "null", "name": "sessions"}]])
def test_a_store_that_has_no_place_is_a_fault_that_names_the_remedy(entries: list[dict[str, Any]]) -> None:
    with MoobiusStorage("1", "tavern", entries) as storage, pytest.raises(ConfigError, match=r'kind\.praises.*"name": "\*"'):
        storage.declare("kind.praises")


SHARING = """
from mooring import Context, command
{lines}
"""


@pytest.mark.parametrize(
    ("one", "two", "fault"),
    [
        ('USES_DICTS = ["gold"]', "", "a dict named gold"),
        ('USES_DICTS = ["bank"]', 'USES_DICTS = ["bank"]', "one and two use the same dict, bank"),
        ('SHARES_DICTS = ["bank"]', 'USES_DICTS = ["bank"]', "one and two use the same dict, bank"),
        ('USES_DICTS = ["bank"]', 'SHARES_DICTS = ["bank"]', "one and two use the same dict, bank"),
        ('SHARES_DICTS = ["bank"]', 'SHARES_DICTS = ["bank"]', None),
        ('USES_DICTS = ["bank"]', "", None),
    ],
)
def test_a_dict_that_is_used_is_there_and_nobody_uses_anothers(
    make_bot: MakeBot, tmp_path: Path, one: str, two: str, fault: str | None
) -> None:
    files = []
    for name, lines in (("one", one), ("two", two)):
        (tmp_path / f"{name}.py").write_text(SHARING.format(lines=lines))
        files.append(str(tmp_path / f"{name}.py"))
    if fault is None:
        make_bot(*files, dicts=["bank"])
    else:
        with pytest.raises(Exception, match=fault):
            make_bot(*files, dicts=["bank"])


def test_a_store_knows_where_it_was_declared() -> None:
    assert Store("x", model=int, default=0).module == __name__


def test_a_plugin_with_other_stores_waits_for_a_restart(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot, tmp_path, BASE)
    bot.join("mo", role="moderator")
    (tmp_path / "kind.py").write_text(BASE + 'moods = Store("moods", model=str, default="calm")\n')
    bot.say("mo", "/plugins reload kind")
    bot.settle()
    assert "declares other stores" in bot.heard("mo")[-1]
    assert bot.say("ann", "/praise @bob") == "1 for bob, 0 for you"
    (tmp_path / "kind.py").write_text(BASE.replace("for you", "for yourself"))
    bot.say("mo", "/plugins reload kind")
    bot.settle()
    assert bot.say("ann", "/praise @bob") == "2 for bob, 0 for yourself"


WAITING = BASE + '''
import asyncio
go_on = asyncio.Event()

@command(example="/later")
async def later(ctx: Context) -> None:
    """Praise when it is said to."""
    async def work(beside):
        await go_on.wait()
        await beside.in_channel(now)
    ctx.background(work)

async def now(ctx: Context) -> None:
    praises[ctx] += 1
    ctx.reply("praised")
'''


def test_work_that_began_before_a_reload_finds_its_store(make_bot: MakeBot, tmp_path: Path) -> None:
    def module() -> Any:
        """The newest one; None for the moment in which its code runs anew."""
        return next((each for name, each in list(sys.modules.items()) if name.endswith("kind") and hasattr(each, "go_on")), None)

    bot = made(make_bot, tmp_path, WAITING)
    bot.join("mo", role="moderator")
    bot.say("ann", "/later")
    old = module()
    bot.say("mo", "/plugins reload kind")
    while "was loaded anew" not in "\n".join(bot.heard("mo")):
        bot.say("mo", "/help")
    assert module() not in {old, None}
    old.go_on.set()
    bot.settle()
    assert bot.say("ann", "/best") == "[('ann', 1)]"


def test_a_plugin_that_is_switched_on_finds_its_stores(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot, tmp_path, BASE, channels=["room"])
    bot.join("olga", role="owner")
    assert bot.say("ann", "/praise @bob") == "1 for bob, 0 for you"
    bot.say("olga", "/plugins off kind")
    assert "There is no command /praise" in bot.say("ann", "/praise @bob")
    bot.say("olga", "/plugins on kind")
    bot.settle()
    assert bot.say("ann", "/praise @bob") == "2 for bob, 0 for you"


def test_quotas_count_stores(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot, tmp_path, BASE, limits={"keys": 1})
    assert bot.say("ann", "/praise @bob") == "1 for bob, 0 for you"
    assert "This channel is full" in bot.say("ann", "/praise @ann")


def test_removing_a_deleted_channel_removes_what_its_stores_held(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot, tmp_path, BASE)
    bot.say("ann", "/praise @bob")
    storage = bot.storage
    bot.close()
    file = next(tmp_path.rglob("kind-praises.json"))
    entries = [{"implementation": "json", "name": "*", "settings": {"root_dir": str(file.parents[2])}}]
    wipe(storage.service_id, MadeChannel({"id": storage.channel_id}, 1), entries)
    assert "bob" not in (file.read_text() if file.exists() else "")
