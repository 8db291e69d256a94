"""What plugins leave to the event loop itself cannot end the process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.process_for_tests import ROOT, launch, member, write_configs

SOURCE = '''
import asyncio
import sys
from mooring import Context, command

def end(*_):
    sys.exit(3)

def interrupt(*_):
    raise KeyboardInterrupt

@command(example="/soon")
async def soon(ctx: Context) -> str:
    """End the process in the next step of the loop."""
    asyncio.get_running_loop().call_soon(end)
    asyncio.get_running_loop().call_soon(interrupt)
    return "soon"

@command(example="/later")
async def later(ctx: Context) -> str:
    """End it by a timer, and when something is done."""
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, interrupt)
    future = loop.create_future()
    future.add_done_callback(end)
    future.set_result(None)
    return "later"
'''

WITHOUT_UVLOOP = "import runpy, sys; sys.modules['uvloop'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_a_callback_that_exits_ends_nothing(tmp_path: Path, loop: str) -> None:
    (tmp_path / "calling.py").write_text(SOURCE)
    options = write_configs(tmp_path, plugins=["help", "bars", "calling", "web"], plugin_folders=["."])
    program = [] if loop == "uvloop" else ["-c", WITHOUT_UVLOOP]
    process = await launch(tmp_path, [sys.executable, *program, str(ROOT / "service.py"), *options])
    async with member(process.address, name="ann") as ann:
        for line in ("/soon", "/later", "/soon"):
            assert (await ann.say(line))["body"]["ok"]
            assert (await ann.say("/hit @ann 1"))["body"]["ok"]
        await ann.say("/bars")
        assert "ann has 97 of 100 health and 100 of 100 mana." in ann.texts()
    code, log = await process.end()
    assert code == 0
    assert "a callback on the event loop tried to end the process, which goes on" in log
    assert "calling.py" in log, "the traceback tells whose it is"


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_the_operator_ends_it_also_after_that(tmp_path: Path, loop: str) -> None:
    (tmp_path / "calling.py").write_text(SOURCE)
    options = write_configs(tmp_path, plugins=["help", "bars", "calling", "web"], plugin_folders=["."])
    program = [] if loop == "uvloop" else ["-c", WITHOUT_UVLOOP]
    process = await launch(tmp_path, [sys.executable, *program, str(ROOT / "service.py"), *options])
    async with member(process.address, name="ann") as ann:
        assert (await ann.say("/soon"))["body"]["ok"]
    assert (await process.end(2))[0] == 0
