"""What is repeated comes at its times, whatever the clocks of its zone do."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mooring.bots.recurrence import Recurrence
from mooring.testing import MakeBot

BERLIN = ZoneInfo("Europe/Berlin")


def at(*parts: int, fold: int = 0) -> float:
    return datetime(*parts, fold=fold, tzinfo=BERLIN).timestamp()  # type: ignore[misc, arg-type]


def times(recurrence: Recurrence, begin: float, count: int) -> list[float]:
    found = [recurrence.next_after(begin)]
    while len(found) < count:
        found.append(recurrence.next_after(found[-1]))
    return found


def test_every_morning_is_half_past_nine_in_summer_and_winter() -> None:
    mornings = Recurrence.of("", "30 9 * * *", "Europe/Berlin")
    expected = [at(2026, 3, day, 9, 30) for day in (28, 29, 30)]
    assert times(mornings, at(2026, 3, 28, 0, 0), 3) == expected
    assert [later - earlier for earlier, later in pairwise(expected)] == [23 * 3600, 24 * 3600]
    assert times(mornings, at(2026, 10, 24, 12, 0), 2) == [at(2026, 10, 25, 9, 30), at(2026, 10, 26, 9, 30)]


def test_an_hour_that_does_not_exist_is_not_skipped_and_one_that_comes_twice_is_not_run_twice() -> None:
    nights = Recurrence.of("", "30 2 * * *", "Europe/Berlin")
    spring = times(nights, at(2026, 3, 28, 12, 0), 2)
    assert at(2026, 3, 29, 0, 0) < spring[0] < at(2026, 3, 29, 12, 0)
    assert spring[1] == at(2026, 3, 30, 2, 30)
    autumn = times(nights, at(2026, 10, 24, 12, 0), 2)
    assert at(2026, 10, 25, 0, 0) < autumn[0] < at(2026, 10, 25, 12, 0)
    assert autumn[1] == at(2026, 10, 26, 2, 30)


def test_an_interval_keeps_its_step() -> None:
    tens = Recurrence.of("10m", "", "UTC")
    assert tens.next_after(1000.0) == 1600.0
    assert tens.next_after(2500.0, since=1000.0) == 2800.0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("", "", "UTC"), "either an interval"),
        (("10m", "* * * * *", "UTC"), "either an interval"),
        (("soon", "", "UTC"), "is not a duration"),
        (("0s", "", "UTC"), "shorter than a second"),
        (("", "61 * * * *", "UTC"), "is no cron expression"),
        (("", "whenever", "UTC"), "is no cron expression"),
        (("", "0 0 30 2 *", "UTC"), "never comes|is no cron expression"),
        (("", "* * * * *", "Europe/Berlim"), "there is no time zone 'Europe/Berlim'"),
        (("", "* * * * *", "../../etc/passwd"), "there is no time zone"),
    ],
)
def test_what_is_no_recurrence_is_said_so(words: tuple[str, str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Recurrence.of(*words)


SOURCE = '''
from mooring import Context, command, every

@every(cron="0 9 * * *", zone="Europe/Berlin")
async def morning(ctx: Context) -> None:
    ctx.reply("Good morning.")

@command(example="/nag")
async def nag(ctx: Context) -> str:
    """Nag me every ten minutes."""
    ctx.storage.notes["key"] = ctx.repeat(remind, "tea", every="10m")
    return "I will."

@command(example="/enough")
async def enough(ctx: Context) -> str:
    """Stop it."""
    return str(ctx.cancel(ctx.storage.notes["key"]))

def remind(ctx: Context, what: str) -> None:
    ctx.tell(ctx.member, what)
'''


def test_plugins_repeat_by_cron_and_at_run_time(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "nagging.py").write_text(SOURCE)
    bot = make_bot(str(tmp_path / "nagging.py"), dicts=["notes"])
    bot.say("ann", "/nag")
    bot.advance("25m")
    assert bot.heard("ann").count("tea") == 2
    bot.restart()
    before = bot.heard("ann").count("tea")
    bot.advance("10m")
    assert bot.heard("ann").count("tea") == before + 1
    assert bot.say("ann", "/enough") == "True"
    bot.advance("2d")
    assert bot.heard("ann").count("tea") == before + 1
    assert bot.heard("bob").count("Good morning.") == 2
