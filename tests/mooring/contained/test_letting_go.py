"""What a handler had in hand is gone when it has failed, and not when the collector of cyclic garbage comes to it."""

from __future__ import annotations

import gc
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
@pytest.mark.parametrize("line", ["/here", "/deep", "/refuse", "/end"])
def test_nothing_of_a_handler_that_failed_stays(make_bot: MakeBot, tmp_path: Path, line: str) -> None:
    (tmp_path / "holding.py").write_text(SOURCE)
    bot = make_bot(str(tmp_path / "holding.py"))
    bot.say("ann", line)
    bot.say("ann", "/help")
    (module,) = [each for name, each in sys.modules.items() if name.endswith("holding") and hasattr(each, "MADE")]
    assert module.MADE
    assert [made for made in module.MADE if made() is not None] == []
