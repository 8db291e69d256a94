"""The page's way to the service when that goes bad without a word, sleeps, or is slow."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, WebSocket, expect

from tests.plugins.web.cable import cable
from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import Visitor, visitor

pytestmark = pytest.mark.browser

STATE = "#state"


async def test_a_dead_link_is_noticed_and_made_anew(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        await bob.say("one")
        await ann.sees("one")
        line.stall()
        await ann.say("two")
        await bob.say("three")
        await expect(ann.page.locator(".pending")).to_have_count(0, timeout=60_000)
        await bob.until("two")
        assert await ann.log.locator(".said").all_text_contents() == ["one", "three", "two"]


async def test_a_silent_page_notices_a_dead_link_too(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        line.stall()
        await bob.say("are you there?")
        await expect(ann.log.get_by_text("are you there?")).to_be_visible(timeout=60_000)


async def test_a_connection_that_never_comes_about_is_tried_again(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address, "ann") as ann:
        line.stall(new_ones=True)
        await ann.page.evaluate("dispatchEvent(new Event('online'))")
        await expect(ann.page.locator(STATE)).to_have_text("Connecting…")
        line.flow()
        await expect(ann.page.locator(STATE)).to_have_text("Connected", timeout=40_000)


@pytest.mark.parametrize(
    "awake",
    [
        "dispatchEvent(new Event('online'))",
        "document.dispatchEvent(new Event('resume'))",
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
    ],
)
async def test_a_page_that_wakes_up_makes_its_dead_link_anew_at_once(tmp_path: Path, chromium: Browser, awake: str) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        line.stall()
        await bob.say("while you slept")
        opened = line.opened
        await ann.page.evaluate(awake)
        await ann.sees("while you slept")
        assert line.opened == opened + 1
        await ann.is_connected()


async def test_a_machine_that_slept_makes_its_dead_link_anew_at_once(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address) as ann:
        await ann.page.clock.install()
        await ann.come("ann")
        line.stall()
        await bob.say("while you slept")
        await ann.page.clock.fast_forward("01:00:00")
        await ann.sees("while you slept")


async def test_the_time_until_the_next_try_counts_down_and_is_not_read_out(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address) as ann:
        await ann.page.clock.install()
        await ann.come("ann")
        await ann.page.evaluate(
            """() => {
                globalThis.said = [];
                globalThis.read = [];
                const state = document.querySelector("#state");
                new MutationObserver((changes) => {
                    said.push(state.textContent);
                    const isHidden = (node) => (node.closest ? node : node.parentElement).closest("[aria-hidden]");
                    for (const { target } of changes) if (!isHidden(target)) read.push(state.textContent);
                }).observe(state, { childList: true, subtree: true, characterData: true });
            }"""
        )
        line.cut()
        await expect(ann.page.locator(STATE)).to_have_text(re.compile("^Reconnecting in [3-9] s$"), timeout=60_000)
        seconds = int(re.sub(r"\D", "", await ann.page.locator(STATE).text_content() or ""))
        for left in range(seconds - 1, 1, -1):
            await expect(ann.page.locator(STATE)).to_have_text(f"Reconnecting in {left} s")
        read = await ann.page.evaluate("read")
        assert all(word != next_word for word, next_word in itertools.pairwise(read)), "nothing is read out twice in a row"
        line.plugged = True
        await ann.is_connected()


async def enter(one: Visitor, name: str, times: int = 1) -> None:
    await one.page.get_by_label("Your name").fill(name)
    for _ in range(times):
        await one.page.keyboard.press("Enter")


@pytest.mark.parametrize("delay", [0.0, 0.4])
async def test_enter_twice_is_once(tmp_path: Path, chromium: Browser, delay: float) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address) as ann:
        await ann.page.goto(line.address)
        line.delay = delay
        await enter(ann, "ann", times=3)
        await expect(ann.composer).to_be_visible()
        await ann.is_connected()
        await ann.sees("ann joined")
        assert await place.metric("mooring_connections") == 1
        assert await ann.page.locator("#enter-problem").text_content() == ""


async def test_another_name_closes_the_connection_that_was_on_its_way(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address) as ann:
        await ann.page.goto(line.address)
        line.delay = 0.4
        await enter(ann, "anna")
        await enter(ann, "ann")
        await expect(ann.composer).to_be_visible()
        await ann.sees("ann joined")
        assert await place.metric("mooring_connections") == 1
        assert [member.name for member in place.service.members("tavern").values()] == ["ann"]


async def test_a_welcome_that_was_lost_does_not_make_the_name_taken(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, visitor(chromium, line.address) as ann:
        async with ann.page.expect_websocket() as connecting:
            await ann.page.goto(line.address)
        async with place.connection() as holding:  # what the service still takes for her broken connection
            line.delay = 0.5
            async with (await connecting.value).expect_event("framesent"):
                await enter(ann, "ann")
            line.stall(new_ones=True)
            line.delay = 0
            assert (await holding.hello(name="ann"))["type"] == "welcome"
            line.flow()
            await expect(ann.page.get_by_role("alert")).to_have_text("The name is not free yet. Trying again…", timeout=30_000)
        await expect(ann.composer).to_be_visible()
        await ann.is_connected()


async def test_whoever_types_a_name_is_connected_by_then_and_may_take_their_time(tmp_path: Path, chromium: Browser) -> None:
    limits = {"limits": {"first_frame_seconds": 1}}
    async with gateway(tmp_path, web=limits) as place, visitor(chromium, place.address) as ann:
        async with ann.page.expect_websocket() as connecting:
            await ann.page.goto(place.address)
        prepared = await connecting.value
        if not prepared.is_closed():
            await prepared.wait_for_event("close")
        await expect(ann.page.get_by_role("alert")).to_be_empty()
        async with ann.page.expect_websocket():
            await ann.page.get_by_label("Your name").press_sequentially("ann")
        await ann.page.keyboard.press("Enter")
        await ann.sees("ann joined")
        assert ann.complaints == []


async def test_a_prepared_connection_is_the_one_that_is_used(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address) as ann:
        sockets: list[WebSocket] = []
        ann.page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright wraps functions alone
        await ann.come("ann")
        await ann.sees("ann joined")
        assert len(sockets) == 1
        assert ann.complaints == []
