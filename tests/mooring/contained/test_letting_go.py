"""What a handler had in hand is gone when it has failed, and not when the collector of cyclic garbage comes to it."""

from __future__ import annotations

import gc
import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.testing import MakeBot

SOURCE = '''
import asyncio
import weakref
from mooring import CommandError, Context, command

MADE = []

class Large:
    pass

def made():
    large = Large()
    MADE.append(weakref.ref(large))
    return large

@command(example="/here")
async def here(ctx: Context) -> None:
    """Fail with something in hand."""
    large = made()
    raise ValueError(large is None)

@command(example="/deep")
async def deep(ctx: Context) -> None:
    """Fail for a reason that had something in hand."""
    def inner():
        large = made()
        return 1 / (large is None)
    large = made()
    await asyncio.sleep(0)
    try:
        inner()
    except ZeroDivisionError as error:
        raise RuntimeError(str(large)) from error

@command(example="/refuse")
async def refuse(ctx: Context) -> None:
    """Refuse with something in hand."""
    large = made()
    raise CommandError(f"no {large is None}")

@command(example="/behind")
async def behind(ctx: Context) -> None:
    """Fail beside the channel."""
    async def work(background):
        large = made()
        raise ValueError(large is None)
    ctx.background(work)

@command(example="/end")
def end(ctx: Context) -> None:
    """Fail in a thread."""
    large = made()
    raise SystemExit(large is None)
'''


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("line", ["/here", "/deep", "/refuse", "/behind", "/end"])
def test_nothing_of_a_handler_that_failed_stays(make_bot: MakeBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    # A log that writes its lines, as a service's does: pytest's own handlers keep the errors themselves.
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(io.StringIO())])
    (tmp_path / "holding.py").write_text(SOURCE)
    bot = make_bot(str(tmp_path / "holding.py"))
    bot.say("ann", line)
    bot.say("ann", "/help")
    (module,) = [each for name, each in sys.modules.items() if name.endswith("holding") and hasattr(each, "MADE")]
    assert module.MADE
    assert [made for made in module.MADE if made() is not None] == []


LIBRARY = """
import asyncio
from mooring import Context, command

class Client:
    def __init__(self):
        self.questions = asyncio.Queue()
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        while True:
            answer = await self.questions.get()
            try:
                raise ConnectionResetError("the line is gone")
            except ConnectionResetError as error:
                answer.set_exception(error)

    async def ask(self):
        answer = asyncio.get_running_loop().create_future()
        self.questions.put_nowait(answer)
        return await answer

CLIENTS = []

@command(example="/ask")
async def ask(ctx: Context) -> None:
    \"\"\"Ask a library that has a task of its own.\"\"\"
    if not CLIENTS:
        CLIENTS.append(Client())
    await asyncio.wait_for(CLIENTS[0].ask(), 5)

@command(example="/alive")
async def alive(ctx: Context) -> None:
    \"\"\"Say whether its task goes on.\"\"\"
    await asyncio.sleep(0)
    ctx.reply(str(not CLIENTS[0].reader.done()))
"""


def test_what_a_library_still_runs_goes_on_when_it_has_failed_somebody(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "asking.py").write_text(LIBRARY)
    bot = make_bot(str(tmp_path / "asking.py"))
    bot.say("ann", "/ask")
    bot.say("ann", "/ask")
    assert bot.say("ann", "/alive") == "True"
