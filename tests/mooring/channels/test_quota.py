"""A channel, a plugin and a store keep no more than they may, and say so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring.service.store_commands import LiveStores, StoredStores
from mooring.service.stored_storages import StoredStorages
from mooring.testing import Bot, MakeBot
from storage import ConfigError
from tests.service_for_tests import running

SOURCE = '''
from mooring import Context, Rest, command

@command(example="/keep a text")
async def keep(ctx: Context, key: str, text: Rest = "") -> str:
    """Keep a text."""
    ctx.storage.kept.setdefault(key, []).append(text)
    return f"{len(ctx.storage.kept)} kept"

@command(example="/drop a")
async def drop(ctx: Context, key: str) -> str:
    """Drop it."""
    del ctx.storage.kept[key]
    return "dropped"
'''


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "keeper.py").write_text(SOURCE)
    return str(tmp_path / "keeper.py")


def test_a_quota_of_keys(make_bot_on_every_engine: MakeBot, file: str) -> None:
    bot = make_bot_on_every_engine(file, dicts=["kept", "more"], limits={"keys": 3})
    bot.storage.more["x"] = 1
    assert bot.say("ann", "/keep a 1") == "1 kept"
    assert bot.say("ann", "/keep b 1") == "2 kept"
    assert bot.say("ann", "/keep c 1") == "This channel is full: it may keep 3 entries, and this would make 4. Remove some first."
    assert bot.say("ann", "/keep b 2") == "2 kept"
    assert bot.say("ann", "/drop a") == "dropped"
    assert bot.say("ann", "/keep c 1") == "2 kept"
    assert dict(bot.storage.kept) == {"b": ["1", "2"], "c": ["1"]}


def test_a_quota_of_bytes_counts_what_is_changed_in_place(make_bot: MakeBot, file: str) -> None:
    bot: Bot = make_bot(file, dicts=["kept"], limits={"bytes": 39})
    assert bot.say("ann", "/keep a 0123456789") == "1 kept"
    assert bot.say("ann", "/keep a 0123456789") == "1 kept"
    assert bot.say("ann", "/keep a 0123456789") == "This channel is full: it may keep 39 bytes, and this would make 40. Remove something first."
    assert bot.storage.kept["a"] == ["0123456789"] * 2
    bot.restart()
    assert "would make" in bot.say("ann", "/keep b 01234567890123456789")
    assert bot.say("ann", "/drop a") == "dropped"


def test_no_quota_no_limit(make_bot: MakeBot, file: str) -> None:
    bot = make_bot(file, dicts=["kept"])
    assert bot.say("ann", "/keep a " + "x" * 10_000) == "1 kept"


STORING = '''
from mooring import Context, Store, command

notes = Store("notes", model=list[str], default=[])
points = Store("points", model=int, default=0)
vault = Store("vault", model=int, default=0, scope="user")
USES_DICTS = ["gold"]

@command(example="/save 5")
async def save(ctx: Context, amount: int) -> None:
    """Put something into the vault of all channels."""
    vault[ctx] += amount

@command(example="/note milk")
async def note(ctx: Context, text: str) -> str:
    """Note something."""
    notes[ctx].append(text)
    return str(len(notes[ctx]))

@command(example="/point")
async def point(ctx: Context) -> str:
    """Get a point, and gold for it."""
    points[ctx] += 1
    ctx.storage.gold[ctx.member.id] = points[ctx]
    return str(points[ctx])
'''


def storing(tmp_path: Path, limits: dict[str, Any], channels: list[Any] | None = None) -> Any:
    (tmp_path / "own").mkdir(exist_ok=True)
    (tmp_path / "own" / "storing.py").write_text(STORING)
    settings = {"root_dir": str(tmp_path / "db")}
    return running(
        tmp_path,
        plugins=["help", {"name": "storing", "limits": limits}],
        plugin_folders=[str(tmp_path / "own")],
        db_config=[{"implementation": "json", "name": name, "settings": settings} for name in ("gold", "health_bars", "*")],
        channels=channels or ["tavern"],
    )


async def test_a_plugin_and_a_store_have_quotas_of_their_own_in_each_channel(tmp_path: Path) -> None:
    limits = {"keys": 3, "stores": {"notes": {"bytes": 20}}}
    async with storing(tmp_path, limits, ["tavern", "library"]) as bot:
        for member in ("ann", "bob"):
            for channel in ("tavern", "library"):
                await bot.join(member, channel=channel)
        assert (await bot.say("ann", "/note 0123456789", "tavern")).ok
        refused = await bot.say("ann", "/note 0123456789", "tavern")
        assert refused.message == "notes of the plugin storing is full: it may keep 20 bytes, and this would make 27. Remove something first."
        assert (await bot.say("ann", "/point", "tavern")).ok, "its note, its point and its gold"
        refused = await bot.say("bob", "/point", "tavern")
        assert refused.message == "The plugin storing is full: it may keep 3 entries, and this would make 5. Remove some first."
        assert (await bot.say("ann", "/point", "tavern")).ok, "which makes nothing longer"
        assert (await bot.say("bob", "/point", "library")).ok


async def test_a_channel_has_a_quota_of_its_own(tmp_path: Path) -> None:
    async with storing(tmp_path, {}, [{"id": "tavern", "limits": {"keys": 2}}, "library"]) as bot:
        for member in ("ann", "bob"):
            for channel in ("tavern", "library"):
                await bot.join(member, channel=channel)
        for channel in ("tavern", "library"):
            assert (await bot.say("ann", "/point", channel)).ok
        assert "This channel is full" in (await bot.say("bob", "/point", "tavern")).message
        assert (await bot.say("bob", "/point", "library")).ok


async def test_a_store_of_all_channels_is_full_everywhere(tmp_path: Path) -> None:
    async with storing(tmp_path, {"stores": {"vault": {"keys": 1}}}, ["tavern", "library"]) as bot:
        for member in ("ann", "bob"):
            for channel in ("tavern", "library"):
                await bot.join(member, channel=channel)
        assert (await bot.say("ann", "/save 5", "tavern")).ok
        assert (await bot.say("ann", "/save 5", "library")).ok
        assert (await bot.say("bob", "/save 5", "library")).message.startswith("vault of the plugin storing is full: it may keep 1 entries")
        page = (await asyncio.to_thread(bot.service.metrics_page)).decode()
        assert await LiveStores(bot.service).read("library", "storing.vault") == {"ann": 10}
    assert 'mooring_dict_keys{channel="",dict="storing.vault"} 1.0' in page
    storages = StoredStorages(bot.service.service_id, ["tavern"], bot.service.config["db_config"])
    assert await StoredStores(storages).read("tavern", "storing.vault") == {"ann": 10}


async def test_limits_of_a_store_that_is_not_there_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"store note, which it does not declare\. Did you mean notes\?"):
        async with storing(tmp_path, {"stores": {"note": {"keys": 1}}}):
            pass


async def test_the_metrics_tell_what_each_dict_holds(tmp_path: Path) -> None:
    async with storing(tmp_path, {}) as bot:
        await bot.join("ann")
        await bot.say("ann", "/note milk")
        await bot.say("ann", "/point")
        page = (await asyncio.to_thread(bot.service.metrics_page)).decode()
    assert 'mooring_dict_keys{channel="tavern",dict="storing.notes"} 1.0' in page
    assert 'mooring_dict_bytes{channel="tavern",dict="storing.notes"} 8.0' in page
    assert 'mooring_dict_keys{channel="tavern",dict="gold"} 1.0' in page
    assert 'mooring_dict_keys{channel="tavern",dict="health_bars"} 0.0' in page
