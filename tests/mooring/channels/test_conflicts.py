"""A handler that has to run again, because another process committed first, is seen to have run once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mooring.testing import Bot, MakeBot
from storage import CommitFailed, DomainChanges, Origin, Outcome, PredecessorFailed, VersionConflict
from storage.outcome import WakeUps

SOURCE = '''
from mooring import Context, command, cooldown

ran = []

@command(example="/pay")
@cooldown("1m")
async def pay(ctx: Context) -> str:
    """Pay once."""
    ran.append("handler")
    ctx.storage.money["paid"] = ctx.storage.money.get("paid", 0) + 1
    ctx.after_commit(lambda: ran.append("after"))
    ctx.schedule("10s", thank)
    return f"paid {ctx.storage.money['paid']}"

async def thank(ctx: Context) -> None:
    ctx.reply("Thanks.")
'''


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    (tmp_path / "paying.py").write_text(SOURCE)
    return make_bot(str(tmp_path / "paying.py"), dicts=["money"])


def let_fail(bot: Bot, errors: list[CommitFailed]) -> None:
    """Let the next commits of the channel fail with these errors."""
    for name in ("members", "history", "handled", "cooldowns", "schedules"):
        _guard(bot.storage.system(name).database, errors)
    _guard(bot.storage.money.database, errors)


def _guard(engine: object, errors: list[CommitFailed]) -> None:
    commit = engine.commit_batch_async  # type: ignore[attr-defined]

    async def guarded(batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        if errors:
            raise errors.pop()
        await commit(batch, origin, sync=sync)

    engine.commit_batch_async = guarded  # type: ignore[attr-defined]
    hand_in = engine.hand_in  # type: ignore[attr-defined]
    failed: list[object] = []

    def guarded_hand_in(batch: Sequence[DomainChanges], origin: Origin, outcome: Outcome, after: object = None, *, sync: bool) -> object:
        if after in failed:
            error: CommitFailed = PredecessorFailed("a commit that this one was built on failed")
        elif errors:
            error = errors.pop()
        else:
            return hand_in(batch, origin, outcome, after, sync=sync)
        failed.append(object())
        asyncio.get_running_loop().call_soon(_settle, outcome, error)
        return failed[-1]

    engine.hand_in = guarded_hand_in  # type: ignore[attr-defined]


def _settle(outcome: Outcome, error: CommitFailed) -> None:
    wake_ups = WakeUps()
    outcome.settle(error, wake_ups)
    wake_ups.send()


def test_conflicts_run_the_handler_again_and_nobody_notices(bot: Bot) -> None:
    let_fail(bot, [VersionConflict("somebody was first"), VersionConflict("and again")])
    assert bot.say("ann", "/pay") == "paid 1"
    assert bot.service.plugins.loaded["paying"].module.ran == ["handler", "handler", "handler", "after"]
    bot.advance("1m")
    assert bot.heard("ann").count("Thanks.") == 1
    assert bot.storage.money["paid"] == 1


def test_a_commit_that_fails_leaves_nothing_of_cooldowns_and_schedules(bot: Bot) -> None:
    let_fail(bot, [CommitFailed("the disk is full")])
    assert bot.say("ann", "/pay") == "Storage is unavailable at the moment; nothing was changed. Try again."
    bot.advance("30s")
    assert "Thanks." not in bot.heard("ann")
    assert bot.again() == "paid 1"


def test_what_is_due_stays_due_while_storage_is_away(bot: Bot) -> None:
    bot.say("ann", "/pay")
    let_fail(bot, [CommitFailed("the disk is full")])
    with pytest.raises(CommitFailed):
        bot.advance("30s")
    assert "Thanks." not in bot.heard("ann")
    bot.advance("30s")
    assert bot.heard("ann").count("Thanks.") == 1
