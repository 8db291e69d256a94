"""Stores whose scope is wider than a channel."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mooring.bots.shared_stores import open_shared_store
from mooring.testing import Bot, Crashed, MakeBot
from mooring.testing.engines import RedisEngine
from storage import MoobiusStorage
from storage.redis.client import RedisClient
from storage.redis.scripts import COMMIT_JOINT, Request

BANK = '''
from mooring import CommandError, Context, Member, Store, command

gold = Store("gold", model=int, default=100, scope="user")
notes = Store("notes", model=list[str], default=list, scope="user")
paid = Store("paid", model=int, default=0, scope="service")
visits = Store("visits", model=int, default=0, scope="channel")

@command(example="/pay @ann 3")
async def pay(ctx: Context, whom: Member, amount: int) -> str:
    """Pay somebody."""
    if amount > gold[ctx]:
        raise CommandError("You have not so much.")
    gold[ctx] -= amount
    gold[ctx, whom] += amount
    paid[ctx] += amount
    visits[ctx] += 1
    return f"{gold[ctx]} left, {paid[ctx]} in all, {visits[ctx]} here"

@command(example="/note tea")
def note(ctx: Context, text: str) -> str:
    """Write something down."""
    notes[ctx].append(text)
    return " ".join(notes[ctx])

@command(example="/spoil")
async def spoil(ctx: Context) -> None:
    """Fail in the middle."""
    gold[ctx] = 0
    notes[ctx].append("spoilt")
    paid[ctx] += 1
    raise ValueError("on the way")

@command(example="/total")
async def total(ctx: Context) -> str:
    """Say what all have."""
    return f"{sorted(gold.all(ctx).items())} {paid.all(ctx)}"
'''

PAUSE = "    await asyncio.sleep(0.02)  # meanwhile the other channel does the same\n"
SLOW = "import asyncio\n" + BANK.replace("    gold[ctx] -= amount", f"{PAUSE}    gold[ctx] -= amount")
CHANNELS = ["tavern", "library"]


def made(make_bot: MakeBot, folder: Path, source: str = BANK, **more: Any) -> Bot:
    (folder / "bank.py").write_text(source)
    return make_bot(str(folder / "bank.py"), channels=CHANNELS, **more)


def test_a_member_has_one_value_in_all_channels(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot_on_every_engine, tmp_path)
    bot.join("bob")
    assert bot.say("ann", "/pay @bob 30") == "70 left, 30 in all, 1 here"
    bot.join("bob", channel="library")
    assert bot.say("ann", "/pay @bob 20", channel="library") == "50 left, 50 in all, 1 here"
    assert bot.say("ann", "/note tea", channel="library") == "tea"
    assert bot.say("ann", "/note mead") == "tea mead"
    bot.restart()
    assert bot.say("ann", "/note ale") == "tea mead ale"
    assert bot.say("ann", "/total") == "[('ann', 50), ('bob', 150)] {'service': 50}"


def test_what_is_refused_or_fails_leaves_nothing(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot_on_every_engine, tmp_path)
    bot.join("bob")
    assert bot.say("ann", "/pay @bob 300") == "You have not so much."
    assert "Something went wrong" in bot.say("ann", "/spoil")
    assert bot.say("ann", "/total") == "[] {}"
    assert bot.say("ann", "/note tea") == "tea"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_keeps_all_of_an_event_or_nothing(make_bot_on_every_engine: MakeBot, tmp_path: Path, when: Any) -> None:
    bot = made(make_bot_on_every_engine, tmp_path)
    bot.join("bob")
    bot.say("ann", "/pay @bob 30")
    bot.crash_at(1, when)
    with pytest.raises(Crashed):
        bot.say("ann", "/pay @bob 30")
    bot.again()
    assert bot.say("ann", "/pay @bob 1") == "39 left, 61 in all, 3 here"


def test_channels_at_the_same_time_lose_nothing(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot_on_every_engine, tmp_path, SLOW, members=("ann", "bob", "cid"))
    for name in ("ann", "bob", "cid"):
        bot.join(name, channel="library")
    told = bot.in_parallel(*((name, "/pay @cid 10", channel) for name in ("ann", "bob") for channel in CHANNELS * 4))
    paid = {int(line.split()[2]) for text in told for line in text.splitlines()}
    assert paid == set(range(10, 170, 10)), "each saw the payments before it"
    bot.restart()
    assert bot.say("ann", "/total") == "[('ann', 20), ('bob', 20), ('cid', 260)] {'service': 160}"


def test_a_refusal_that_rests_on_what_is_no_longer_so_is_none(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    source = SLOW.replace("    if amount", "    have = gold[ctx]\n    await asyncio.sleep(0.02)\n    if amount").replace("gold[ctx]:", "have:")
    bot = made(make_bot_on_every_engine, tmp_path, source)
    for channel in CHANNELS:
        bot.join("bob", channel=channel)
    bot.join("ann", channel="library")
    bot.say("ann", "/pay @bob 100")
    told = bot.in_parallel(("bob", "/pay @ann 50", "tavern"), ("ann", "/pay @bob 50", "library"))
    assert told[0].startswith("150 left") or told[0].startswith("200 left"), told
    total = bot.say("ann", "/total")
    assert total.startswith(("[('ann', 50), ('bob', 150)]", "[('ann', 0), ('bob', 200)]")), total


def test_values_of_an_older_version_are_migrated_once_for_all_channels(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    bot = made(make_bot_on_every_engine, tmp_path)
    bot.join("bob")
    bot.say("ann", "/pay @bob 30")
    newer = BANK.replace('default=100, scope="user")', 'default=100, scope="user", version=2, steps={1: lambda gold: gold * 10})')
    (tmp_path / "bank.py").write_text(newer)
    bot.restart()
    assert bot.say("ann", "/total") == "[('ann', 700), ('bob', 1300)] {'service': 30}"
    bot.restart()
    assert bot.say("ann", "/total", channel="tavern") == "[('ann', 700), ('bob', 1300)] {'service': 30}"


@pytest.mark.redis
@pytest.mark.parametrize("make_bot_on_every_engine", ["redis"], indirect=True)
def test_who_was_overtaken_by_another_process_has_the_store_for_itself(
    make_bot_on_every_engine: MakeBot, mooring_redis: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the server knows of the other one, when the handler is over. Without its turn a slow handler would be overtaken again and again."""
    service_id = uuid.uuid4().hex
    sent: list[int] = []
    holds: list[bool] = []
    monkeypatch.setattr(RedisEngine, "service_id", lambda self: service_id)
    bot = made(make_bot_on_every_engine, tmp_path)
    rival = open_shared_store(
        service_id, "bank.gold", [{"implementation": "redis", "name": "*", "settings": {"port": mooring_redis.port, "timeout": 7.0}}]
    )
    run_all, transaction = RedisClient.run_all, MoobiusStorage.transaction

    def overtaken(self: RedisClient, requests: Sequence[Request]) -> list[Any]:
        if not sent and any(request.script is COMMIT_JOINT for request in requests):
            sent.append(len(requests))
            getattr(rival, "bank.gold")["rival"] = 1
        return run_all(self, requests)

    def noted(self: MoobiusStorage, *arguments: Any, **options: Any) -> Any:
        if "again" in options:
            holds.append(options["again"] is not None)
        return transaction(self, *arguments, **options)

    monkeypatch.setattr(RedisClient, "run_all", overtaken)
    monkeypatch.setattr(MoobiusStorage, "transaction", noted)
    assert bot.say("ann", "/pay @bob 10") == "90 left, 10 in all, 1 here"
    assert sent
    assert holds == [False, True]
    assert bot.say("ann", "/pay @bob 10") == "80 left, 20 in all, 2 here"
    assert holds[:3] == [False, True, False], "the next event does not begin with holding it"
    rival.close()
