"""What is scheduled happens once, in its time, whatever happens to the service in between."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mooring.bots.recurrence import Recurrence
from mooring.bots.schedule import Schedule, Timer, moment
from mooring.testing import Bot, Crashed, MakeBot

SOURCE = '''
from datetime import timedelta
from mooring import CommandError, Context, Rest, command, every, now

@every("10m")
async def tick(ctx: Context) -> None:
    ctx.storage.notes["ticks"] = ctx.storage.notes.get("ticks", 0) + 1
    ctx.reply(f"tick {ctx.storage.notes['ticks']}")

@command(example="/remind 5m tea")
async def remind(ctx: Context, wait: timedelta, text: Rest) -> str:
    """Remind me."""
    ctx.storage.notes[ctx.member.id] = ctx.schedule(wait, ring, text)
    return "Noted."

def ring(ctx: Context, text: str) -> None:
    ctx.storage.notes["rung"] = [*ctx.storage.notes.get("rung", []), [ctx.member.id, text, now()]]
    if text == "refuse":
        raise CommandError("Not today.")
    if text == "fail":
        raise RuntimeError("broken")
    ctx.tell(ctx.member, f"{ctx.member}: {text}")

@command(example="/forget")
async def forget(ctx: Context) -> str:
    """Forget it."""
    return "Forgotten." if ctx.cancel(ctx.storage.notes[ctx.member.id]) else "Too late."

@command(example="/lambda")
async def wrong(ctx: Context) -> None:
    """Schedule what no restart could find."""
    ctx.schedule("1m", lambda ctx: None)
'''


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "notes.py"
    file.write_text(SOURCE)
    return str(file)


@pytest.fixture
def bot(make_bot: MakeBot, source: str) -> Bot:
    return make_bot(source, dicts=["notes"])


def rung(bot: Bot) -> list[str]:
    return [text for _, text, _ in bot.storage.notes.get("rung", [])]


def test_every_runs_again_and_again(bot: Bot) -> None:
    bot.advance("9m")
    assert "tick 1" not in bot.heard("bob")
    bot.advance("25m")
    assert bot.heard("bob")[-3:] == ["tick 1", "tick 2", "tick 3"]


def test_a_schedule_happens_at_its_time_in_the_members_name(bot: Bot) -> None:
    begun = bot.time
    assert bot.say("ann", "/remind 5m tea is ready") == "Noted."
    assert bot.say("bob", "/remind 2m toast") == "Noted."
    bot.advance("4m59s")
    assert bot.heard("ann")[-1] == "Noted."
    bot.advance("1h")
    assert "ann: tea is ready" in bot.heard("ann")
    assert "ann: tea is ready" not in bot.heard("bob")
    assert [(name, when - begun) for name, _, when in bot.storage.notes["rung"]] == [("bob", 120), ("ann", 300)]


def test_a_schedule_can_be_cancelled(bot: Bot) -> None:
    bot.say("ann", "/remind 5m tea")
    assert bot.say("ann", "/forget") == "Forgotten."
    assert bot.say("ann", "/forget") == "Too late."
    bot.advance("1h")
    assert rung(bot) == []


def test_what_came_due_while_the_service_was_down_happens_once(make_bot_on_every_engine: MakeBot, source: str) -> None:
    bot = make_bot_on_every_engine(source, dicts=["notes"])
    bot.say("ann", "/remind 5m tea")
    bot.time += 3600
    bot.restart()
    bot.advance("1s")
    assert rung(bot) == ["tea"]
    assert bot.storage.notes["ticks"] == 1
    bot.advance("10m")
    assert bot.storage.notes["ticks"] == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_in_the_middle_neither_loses_nor_repeats_it(make_bot_on_every_engine: MakeBot, source: str, when: str) -> None:
    bot = make_bot_on_every_engine(source, dicts=["notes"])
    bot.say("ann", "/remind 5m tea")
    bot.crash_at(1, "before" if when == "before" else "after")
    with pytest.raises(Crashed):
        bot.advance("6m")
    bot.advance("1m")
    assert rung(bot) == ["tea"]


def test_what_is_refused_is_undone_told_and_not_tried_again(bot: Bot) -> None:
    bot.say("ann", "/remind 1m refuse")
    bot.say("ann", "/remind 3m tea")
    bot.advance("1h")
    assert [text for text in bot.heard("ann") if text in {"Not today.", "ann: tea"}] == ["Not today.", "ann: tea"]
    assert rung(bot) == ["tea"]


def test_what_fails_is_undone_tried_again_and_at_last_listed(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    bot.join("mo", role="moderator")
    bot.say("ann", "/remind 2m fail")
    with caplog.at_level(logging.ERROR):
        bot.advance("2m5s")
        assert "in 5s | tried 1 times: it raised RuntimeError" in bot.say("mo", "/schedules")
        bot.advance("1h")
    failures = [record.getMessage() for record in caplog.records if record.name == "mooring.bots.timers"]
    assert failures[:1] == ["notes.ring failed in channel room: it raised RuntimeError"]
    assert failures[-1] == "notes.ring is given up in channel room after 5 tries: it raised RuntimeError"
    assert len(failures) == 6
    assert rung(bot) == []
    assert "given up; tried 5 times: it raised RuntimeError" in bot.say("mo", "/schedules")
    bot.restart()
    bot.advance("1h")
    listed = bot.say("mo", "/schedules")
    assert "given up" in listed
    key = re.search(r"\b[0-9a-f]{16}\b", listed)
    assert key is not None
    assert bot.say("mo", f"/schedules cancel {key[0]}") == f"{key[0]} will not happen."
    assert "given up" not in bot.say("mo", "/schedules")


def test_a_transient_failure_loses_nothing(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> None:
    file = tmp_path / "notes.py"
    file.write_text(SOURCE.replace('raise RuntimeError("broken")', 'if not (Path(__file__).with_name("mended")).exists(): raise OSError("disk")'))
    file.write_text("from pathlib import Path\n" + file.read_text())
    bot = make_bot_on_every_engine(str(file), dicts=["notes"])
    bot.join("mo", role="moderator")
    bot.say("ann", "/remind 1m fail")
    bot.advance("1m25s")
    assert rung(bot) == []
    (tmp_path / "mended").touch()
    bot.advance("2m")
    assert rung(bot) == ["fail"]
    bot.advance("1h")
    assert rung(bot) == ["fail"]


def test_what_was_given_up_can_be_tried_again(bot: Bot, source: str) -> None:
    bot.join("mo", role="moderator")
    bot.say("ann", "/remind 1m fail")
    bot.advance("1h")
    facts = bot.service.health()
    assert (facts["ready"], "given up in channel" in facts["problems"][0]) == (True, True)
    key = re.search(r"\b[0-9a-f]{16}\b", bot.say("mo", "/schedules"))
    assert key is not None
    Path(source).write_text(SOURCE.replace('raise RuntimeError("broken")', "pass"))
    bot.say("mo", "/plugins reload notes")
    bot.settle()
    assert bot.say("mo", f"/schedules retry {key[0]}") == f"{key[0]} is tried again."
    bot.advance("1m")
    assert rung(bot) == ["fail"]
    assert bot.say("mo", f"/schedules retry {key[0]}") == f"Nothing was given up as {key[0]}."


def test_only_moderators_see_what_is_scheduled(bot: Bot) -> None:
    assert "is for moderators" in bot.say("ann", "/schedules")


def test_who_has_left_is_not_reminded(bot: Bot) -> None:
    bot.say("ann", "/remind 5m tea")
    bot.leave("ann")
    before = bot.heard("bob")
    bot.advance("6m")
    assert bot.heard("bob") == before
    assert rung(bot) == []
    bot.join("mo", role="moderator")
    bot.advance("1h")
    assert "given up; tried 5 times: its member has left the channel" in bot.say("mo", "/schedules")


def test_a_refusal_is_told_to_nobody_else(bot: Bot) -> None:
    bot.say("ann", "/remind 1m refuse")
    bot.advance("2m")
    assert "Not today." in bot.heard("ann")
    assert "Not today." not in bot.heard("bob")


def test_only_what_a_restart_could_find_is_scheduled(bot: Bot) -> None:
    assert "Something went wrong here" in bot.say("ann", "/wrong")


def test_a_schedule_of_a_plugin_that_is_gone_does_no_harm(make_bot: MakeBot, source: str, caplog: pytest.LogCaptureFixture) -> None:
    bot = make_bot(source, dicts=["notes"])
    bot.say("ann", "/remind 1m tea")
    Path(source).write_text(re.sub(r"\bring\b", "sing", SOURCE).replace("tick", "tock"))
    bot.join("mo", role="moderator")
    bot.say("mo", "/plugins reload notes")
    bot.settle()
    bot.advance("2h")
    assert "notes.ring failed in channel room: there is no function notes.ring any more" in caplog.messages
    assert rung(bot) == []
    listed = bot.say("mo", "/schedules")
    assert "notes: ring | ann | - | given up; tried 5 times: there is no function notes.ring any more" in listed


def test_moments_are_spans_or_times_with_a_zone() -> None:
    assert moment("10m", 1000.0) == 1600.0
    assert moment(timedelta(hours=1), 1000.0) == 4600.0
    assert moment(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=1))), 0.0) == 3600.0
    with pytest.raises(ValueError, match="has no time zone"):
        moment(datetime(1970, 1, 1), 0.0)
    with pytest.raises(ValueError, match="is not a duration"):
        moment("soon", 0.0)


def test_a_shorter_interval_counts_from_now() -> None:
    kept: dict[str, Any] = {}
    schedule = Schedule(kept)
    schedule.begin(Timer("p", "tick", Recurrence(600)), 0)
    assert schedule.next_due() == 600
    schedule.begin(Timer("p", "tick", Recurrence(600)), 300)
    assert schedule.next_due() == 600
    schedule.begin(Timer("p", "tick", Recurrence(60)), 300)
    assert schedule.next_due() == 360
    assert schedule.take("every p tick", 359) is None
    assert schedule.take("every p tick", 1000) is not None
    assert schedule.next_due() == 1020
