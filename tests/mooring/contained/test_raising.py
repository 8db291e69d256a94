"""Whatever a plugin raises, wherever it does, is a failed handler: logged under its name, told with a reference, done once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mooring import PluginError
from mooring.protocols import ServiceStopping
from mooring.testing import Bot, MakeBot
from tests.service_for_tests import json_dicts, running

SOURCE = '''
import argparse
import asyncio
import sys
from mooring import Context, Rest, command, every

FAULTS = {
    "stop": lambda: next(iter([])),
    "async stop": lambda: raise_(StopAsyncIteration),
    "exit": lambda: sys.exit(3),
    "argparse": lambda: argparse.ArgumentParser(prog="x").parse_args(["--help"]),
    "interrupt": lambda: raise_(KeyboardInterrupt),
    "generator": lambda: raise_(GeneratorExit),
    "cancelled": lambda: raise_(asyncio.CancelledError),
    "group": lambda: raise_(BaseExceptionGroup("many", [SystemExit(1)])),
    "unprintable": lambda: raise_(Unprintable),
    "plain": lambda: 1 / 0,
}


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit("no text")


def raise_(what):
    raise what


@command(example="/sync exit")
def sync(ctx: Context, fault: Rest) -> None:
    """Fail in a thread."""
    ctx.storage.notes["left"] = fault
    FAULTS[fault]()


@command(example="/here exit")
async def here(ctx: Context, fault: Rest) -> None:
    """Fail on the loop."""
    ctx.storage.notes["left"] = fault
    FAULTS[fault]()


@command(example="/later exit")
async def later(ctx: Context, fault: Rest) -> None:
    """Fail after others had their turn."""
    ctx.storage.notes["left"] = fault
    await asyncio.sleep(0.001)
    FAULTS[fault]()


@command(example="/inner exit")
async def inner(ctx: Context, fault: Rest) -> None:
    """Fail in a task of one's own."""
    async def work():
        FAULTS[fault]()
    ctx.storage.notes["left"] = fault
    await asyncio.wait_for(work(), 5)


@command(example="/cancel")
async def cancel(ctx: Context) -> None:
    """Cancel oneself, and never wait again."""
    ctx.storage.notes["left"] = "cancel"
    asyncio.current_task().cancel()


@command("cancel late", example="/cancel late")
async def cancel_late(ctx: Context) -> None:
    """Cancel oneself, and wait."""
    ctx.storage.notes["left"] = "cancel"
    asyncio.current_task().cancel()
    await asyncio.sleep(10)


@command("cancel all", example="/cancel all")
async def cancel_all(ctx: Context) -> None:
    """Cancel whatever has to do with channels."""
    ctx.storage.notes["left"] = "cancel"
    for task in asyncio.all_tasks():
        if task.get_name() in {"handlers", "timers", "presence", "channel room"}:
            task.cancel()
    await asyncio.sleep(0.01)


@command(example="/fine")
def fine(ctx: Context) -> str:
    """Show that all is well."""
    ctx.storage.notes["fine"] = ctx.storage.notes.get("fine", 0) + 1
    return f"fine {ctx.storage.notes['fine']}, left {ctx.storage.notes.get('left')}"


@command(example="/soon exit")
async def soon(ctx: Context, fault: Rest) -> None:
    """Fail when the time has come."""
    ctx.schedule("1m", due, fault)


def due(ctx: Context, fault: str) -> None:
    ctx.storage.notes["left"] = fault
    FAULTS[fault]()


@command(example="/after exit")
async def after(ctx: Context, fault: Rest) -> None:
    """Fail after the commit."""
    ctx.after_commit(lambda: FAULTS[fault]())


@command(example="/beside exit")
async def beside(ctx: Context, fault: Rest) -> None:
    """Fail in the background."""
    async def work(background) -> None:
        FAULTS[fault]()
    ctx.background(work)


async def on_message_up(ctx: Context, message) -> None:
    fault = message.content.text
    if fault in FAULTS:
        ctx.storage.notes["left"] = fault
        FAULTS[fault]()
'''

FAULTS = ["stop", "async stop", "exit", "argparse", "interrupt", "generator", "cancelled", "group", "unprintable", "plain"]
REFERENCE = re.compile(r"Something went wrong here \(reference (\w+)\); nothing was changed\.")


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    (tmp_path / "faulty.py").write_text(SOURCE)
    bot = make_bot(str(tmp_path / "faulty.py"), dicts=["notes"])
    bot.join("mo", role="moderator")
    return bot


def assert_failed_once(bot: Bot, line: str, handler: str, caplog: pytest.LogCaptureFixture) -> None:
    said = bot.say("ann", line)
    found = REFERENCE.fullmatch(said)
    assert found is not None, said
    assert bot.again() == said, "the answer is kept, and"
    told = [record for record in caplog.records if "(reference" in record.getMessage()]
    assert len(told) == 1, "it is not run again"
    assert f"faulty: {handler} (reference {found[1]})" in told[0].getMessage()
    assert told[0].exc_info
    assert bot.say("bob", "/fine") == "fine 1, left None"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("handler", ["sync", "here", "later", "inner"])
def test_a_handler(bot: Bot, handler: str, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_failed_once(bot, f"/{handler} {fault}", f"/{handler}", caplog)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hook(bot: Bot, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """The message is there all the same; only what the hook did is not."""
    said = bot.say("ann", fault)
    found = re.fullmatch(r"Something went wrong in faulty \(reference (\w+)\); what it did was undone\.", said)
    assert found is not None, said
    assert fault in bot.heard("bob")
    assert said not in bot.heard("bob")
    told = [record for record in caplog.records if "(reference" in record.getMessage()]
    assert [record.getMessage() for record in told] == [
        f"faulty: on_message_up in channel room failed and is left out of the event (reference {found[1]})"
    ]
    assert told[0].exc_info
    assert bot.say("bob", "/fine") == "fine 1, left None"


@pytest.mark.parametrize("line", ["/cancel", "/cancel late"])
def test_a_handler_that_cancels(bot: Bot, line: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_failed_once(bot, line, line, caplog)


def test_the_tasks_of_the_service_that_a_handler_cancels_are_followed_by_others(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with pytest.raises(ServiceStopping):
            bot.say("ann", "/cancel all")
        assert "left None" in bot.say("bob", "/fine")
    named = "\n".join(bot.service.health()["problems"])
    for name in ("the worker of channel room ended", "timers ended", "presence ended"):
        assert name in caplog.text
        assert name in named


@pytest.mark.parametrize("fault", FAULTS)
def test_a_timer(bot: Bot, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    bot.say("ann", f"/soon {fault}")
    bot.advance("2m")
    assert "faulty.due failed in channel room" in caplog.text
    assert bot.say("ann", "/fine") == "fine 1, left None"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("handler", ["after", "beside"])
def test_what_happens_after_the_commit(bot: Bot, handler: str, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    bot.say("ann", f"/{handler} {fault}")
    bot.settle()
    assert "failed" in caplog.text
    assert bot.say("ann", "/fine") == "fine 1, left None"


@pytest.mark.parametrize("fault", ["raise SystemExit(2)", "raise KeyboardInterrupt", "raise GeneratorExit", "next(iter([]))"])
def test_code_that_is_loaded_anew(bot: Bot, tmp_path: Path, fault: str) -> None:
    (tmp_path / "faulty.py").write_text(f"{SOURCE}\n{fault}\n")
    bot.say("mo", "/plugins reload faulty")
    bot.settle()
    assert "Plugin faulty stays as it was: its code failed while it was" in bot.heard("mo")[-1]
    assert bot.say("ann", "/fine") == "fine 1, left None"


@pytest.mark.parametrize("fault", ["raise SystemExit(2)", "raise KeyboardInterrupt", "raise GeneratorExit", "next(iter([]))"])
@pytest.mark.parametrize("hook", ["", "on_start(service, config)", "on_channel_init(ctx)"])
@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_plugin_that_does_not_start_is_left_out_or_named(
    tmp_path: Path, kind: str, hook: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.py").write_text(f"{kind} {hook}:\n    {fault}\n" if hook else fault)
    folders = [str(tmp_path)]
    async with running(tmp_path / "store", plugins=["help", {"name": "broken", "required": False}], plugin_folders=folders) as driver:
        await driver.join("ann")
        await driver.say("ann", "/plugins")
        assert "broken was left out" in driver.recorder.texts("ann")[-1]
    assert [record for record in caplog.records if "Plugin broken was left out" in record.getMessage() and not record.exc_info]
    with pytest.raises(Exception, match="plugin broken"):
        async with running(tmp_path / "store", plugins=["broken"], plugin_folders=folders):
            pass
    async with running(tmp_path / "store") as driver:  # nothing stayed open
        await driver.join("ann")


@pytest.mark.parametrize("fault", ["raise SystemExit(2)", "raise KeyboardInterrupt", "raise asyncio.CancelledError", "await asyncio.sleep(100)"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_lifespan(tmp_path: Path, fault: str, after: bool, caplog: pytest.LogCaptureFixture) -> None:
    lines = ["    yield 1", f"    {fault}"] if after else [f"    {fault}", "    yield 1"]
    source = "import asyncio\nfrom contextlib import asynccontextmanager\n@asynccontextmanager\nasync def lifespan(service, config):\n"
    (tmp_path / "living.py").write_text(source + "\n".join(lines))
    limits = {"handler_seconds": 0.3}
    plugins = [{"name": "living", "required": False}]
    async with running(tmp_path / "store", plugins=plugins, plugin_folders=[str(tmp_path)], limits=limits, stop_timeout=0.3) as driver:
        assert ("living" in driver.service.plugins.failed) is not after
        await driver.join("ann")
    assert ("lifespan of living failed" in caplog.text) is after
    assert ("living was left out: lifespan failed" in caplog.text) is not after


async def test_an_error_of_a_required_plugin_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("async def on_start(service, config):\n    raise RuntimeError('no key')\n")
    with pytest.raises(PluginError, match=r"^plugin broken: on_start failed: RuntimeError: no key$"):
        async with running(tmp_path / "store", plugins=["broken"], plugin_folders=[str(tmp_path)], db_config=json_dicts(tmp_path / "store")):
            pass
