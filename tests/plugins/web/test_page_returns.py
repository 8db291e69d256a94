"""The page comes back, after the service, the network or the page itself was gone: nothing is lost, and nothing is twice."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.cable import cable
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import visitor
from tests.process_for_tests import member, start, write_configs

pytestmark = pytest.mark.browser


async def test_a_killed_service_comes_back_and_nothing_is_lost_or_doubled(tmp_path: Path, chromium: Browser) -> None:
    options = [*write_configs(tmp_path), "--data-dir", "gateway"]
    process = await start(tmp_path, *options)
    port = process.address.rstrip("/").rsplit(":", 1)[1]
    async with visitor(chromium, process.address, "ann") as ann:
        await ann.say("before")
        await ann.sees("before")
        process.kill()
        await process.wait()
        await expect(ann.page.locator("#state")).to_have_text(re.compile("Reconnecting|Connecting"))
        await ann.say("/hit @ann 20")
        await ann.composer.fill("half a senten")
        process = await start(tmp_path, *options, MOORING_PORT=port)
        await ann.is_connected()
        await expect(ann.log.get_by_text("ann has 80 of 100 health.")).to_have_count(1)
        await expect(ann.log.get_by_text("before", exact=True)).to_have_count(1)
        await expect(ann.composer).to_have_value("half a senten")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        await ann.page.reload()
        await ann.is_connected()
        await expect(ann.log.get_by_text("before", exact=True)).to_have_count(1)
        await expect(ann.composer).to_have_value("half a senten")
    await process.end()


async def test_a_service_that_is_restarted_says_so_and_both_go_on_where_they_were(tmp_path: Path, chromium: Browser) -> None:
    options = [*write_configs(tmp_path), "--data-dir", "gateway"]
    process = await start(tmp_path, *options)
    port = process.address.rstrip("/").rsplit(":", 1)[1]
    async with visitor(chromium, process.address, "ann") as ann, visitor(chromium, process.address, "bob") as bob:
        await ann.say("one")
        await bob.sees("one")
        await ann.composer.fill("half a senten")
        code, _ = await process.end()
        assert code == 0
        for each in (ann, bob):
            await expect(each.page.locator("#state")).to_have_text(re.compile("Reconnecting|Connecting"))
        await bob.say("two")
        await bob.say("/hit @ann 20")
        await expect(bob.page.locator(".pending")).to_have_count(2)
        await expect(ann.composer).to_have_value("half a senten")
        process = await start(tmp_path, *options, MOORING_PORT=port)
        for each in (ann, bob):
            await each.is_connected()
            await each.sees("bob hits ann: 20 damage. ann has 80 of 100 health.")
            await expect(each.page.locator(".pending")).to_have_count(0)
        await expect(ann.composer).to_have_value("half a senten")
        await ann.composer.press("End")
        await ann.page.keyboard.type("ce")
        await ann.page.keyboard.press("Enter")
        await bob.sees("half a sentence")
        for each in (ann, bob):
            await each.sees("half a sentence")
            await expect(each.page.locator(".pending")).to_have_count(0)
            assert await each.log.locator(".said").all_text_contents() == ["one", "two", "half a sentence"]
            await expect(each.log.get_by_text("bob hits ann")).to_have_count(1)
            assert await each.bar("ann", "Health") == ("80", "80/100")
    await process.end()


async def test_a_pulled_cable_loses_nothing(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        await bob.say("one")
        await ann.sees("one")
        line.cut()
        await expect(ann.page.locator("#state")).not_to_have_text("Connected")
        await bob.say("two")
        await ann.say("three")
        await expect(ann.page.locator(".pending")).to_have_count(1)
        line.plugged = True
        await ann.is_connected()
        await bob.until("three")
        await bob.say("four")
        await ann.sees("four")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        assert await ann.log.locator(".said").all_text_contents() == ["one", "two", "three", "four"]


async def test_what_is_unread_is_still_counted_after_a_reload(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob", "tavern", "library") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.get_by_role("button", name="library").click()
        await ann.sees("ann joined")
        await bob.say("one")
        badge = ann.page.locator("#channel-list button", has_text="tavern").locator(".badge")
        await expect(badge).to_have_text("1")
        await ann.page.goto("about:blank")
        await bob.say("two, while she is away")
        await ann.page.goto(f"{ann.address}#library")
        await ann.is_connected()
        await expect(badge).to_have_text("2")
        await ann.page.locator("#channel-list").get_by_role("button", name="tavern").click()
        await ann.sees("two, while she is away")
        await expect(badge).to_have_count(0)
        await ann.page.reload()
        await ann.sees("two, while she is away")
        await expect(ann.page.locator("#channel-list .badge")).to_have_count(0)


GAME = """
from mooring import BottomButton, Button, ButtonClick, CanvasItem, Context, Dialog, InputComponent, command

@command(example="/game")
async def game(ctx: Context) -> None:
    \"\"\"Begin a game.\"\"\"
    asked = Dialog("Your move", [InputComponent("field", "text", True)], [BottomButton("ok", "Move", True)])
    ctx.buttons([Button("move", "Make a move", asked)])
    ctx.canvas([CanvasItem("White to move")])
    told = ctx.reply("The game begins")
    ctx.messages.edit(told, "The game begins, move 1")
    ctx.schedule("1s", ring)

async def on_button_click(ctx: Context, click: ButtonClick) -> None:
    ctx.reply(f"{ctx.member} moves to {click.arguments[0].value}")

def ring(ctx: Context) -> None:
    ctx.reply("Time is up")
"""


async def test_a_game_goes_on_after_a_kill_in_its_middle(tmp_path: Path, chromium: Browser) -> None:
    (tmp_path / "games").mkdir()
    (tmp_path / "games" / "chess.py").write_text(GAME)
    options = [*write_configs(tmp_path, plugins=["help", "chess", "web"], plugin_folders=["games"]), "--data-dir", "gateway"]
    process = await start(tmp_path, *options)
    port = process.address.rstrip("/").rsplit(":", 1)[1]
    async with visitor(chromium, process.address, "ann") as ann:
        await ann.say("/game")
        await ann.sees("The game begins, move 1")
        process.kill()
        await process.wait()
        process = await start(tmp_path, *options, MOORING_PORT=port)
        await ann.is_connected()
        async with visitor(chromium, process.address, "bob") as bob:
            await bob.sees("Time is up")
            await expect(bob.log.get_by_text("The game begins, move 1")).to_have_count(1)
            await expect(bob.page.locator("#canvas")).to_contain_text("White to move")
            await bob.page.get_by_role("button", name="Make a move").click()
            await bob.page.get_by_label("field").fill("e4")
            await bob.page.get_by_role("button", name="Move", exact=True).click()
            await ann.sees("bob moves to e4")
            await expect(ann.log.get_by_text("Time is up")).to_have_count(1)
    await process.end()


WORKING = """
import asyncio
from mooring import Context, command

@command(example="/work")
async def work(ctx: Context) -> None:
    \"\"\"Show progress, and never come to an end.\"\"\"
    await ctx.progress("Working", 3).update(1)
    await asyncio.Event().wait()

@command(example="/fetch")
async def fetch(ctx: Context) -> None:
    \"\"\"The same beside the channel, with a text that grows.\"\"\"
    async def work(beside):
        await beside.progress("Fetching", 3).update(2)
        await beside.stream().write("Once upon a time")
        await asyncio.Event().wait()
    ctx.background(work)
"""


async def test_what_a_crash_has_cut_short_says_so(tmp_path: Path, chromium: Browser) -> None:
    (tmp_path / "works").mkdir()
    (tmp_path / "works" / "working.py").write_text(WORKING)
    options = [*write_configs(tmp_path, plugins=["help", "working", "web"], plugin_folders=["works"]), "--data-dir", "gateway"]
    process = await start(tmp_path, *options)
    port = process.address.rstrip("/").rsplit(":", 1)[1]
    async with visitor(chromium, process.address, "ann") as ann:
        async with member(process.address, name="bob") as bob:
            await bob.say("/fetch")
            working = asyncio.create_task(bob.say("/work"))
            for text in ("Fetching", "Once upon a time", "Working"):
                await ann.sees(text)
            process.kill()
            working.cancel()
        await process.wait()
        process = await start(tmp_path, *options, MOORING_PORT=port)
        await ann.is_connected()
        for text in ("Fetching (interrupted)", "Once upon a time (interrupted)", "Working (interrupted)"):
            await expect(ann.log.get_by_text(text)).to_have_count(1)
        await expect(ann.log.get_by_text("Once upon a time")).to_have_count(1)
        async with visitor(chromium, process.address, "eve") as eve:
            await eve.sees("Once upon a time (interrupted)")
            await expect(eve.log.get_by_text("Fetching (interrupted)")).to_have_count(1)
    await process.end()
