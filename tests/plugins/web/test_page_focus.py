"""The focus stays where somebody put it, whatever is drawn anew meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, Visitor, visitor

pytestmark = pytest.mark.browser


async def test_an_unread_count_leaves_the_focus_on_its_channel(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.get_by_role("button", name="library").click()
        tavern = ann.page.get_by_role("button", name="tavern")
        await tavern.focus()
        await bob.say("are you there?")
        await expect(ann.page.get_by_role("img", name="1 unread")).to_be_visible()
        await expect(tavern).to_be_focused()


async def test_buttons_that_come_anew_keep_the_focus_and_the_last_gives_it_to_the_composer(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        wave = ann.page.get_by_role("button", name="Wave")
        await wave.focus()
        await bob.say("/offer")
        await expect(wave).to_be_focused()
        await bob.say("/hide")
        await expect(wave).to_have_count(0)
        await expect(ann.page.get_by_role("button", name="Call a round")).to_be_focused()
        await bob.say("/board plain")
        await expect(ann.page.get_by_role("button", name="plain")).to_be_focused()


async def test_a_menu_that_comes_anew_is_not_read_out(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await bob.say("/offer")
        await bob.say("quote me")
        await ann.sees("quote me")
        await ann.page.evaluate(
            """() => {
                const log = document.querySelector("#log");
                globalThis.heard = [];
                const hear = (node) => { if (!log.hasAttribute("aria-busy")) heard.push(node.textContent); };
                new MutationObserver((changes) => changes.flatMap((each) => [...each.addedNodes]).forEach(hear)).observe(log, { childList: true });
            }"""
        )
        await bob.say("/offer")
        await bob.say("the end")
        await ann.sees("the end")
        assert not [each for each in await ann.page.evaluate("heard") if "quote me" in each]


async def test_drawers_take_the_focus_hold_it_and_give_it_back(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **PHONE) as ann:
        for opener, box in (("Show the channels", "#channels"), ("Show members and canvas", "#people")):
            button = ann.page.get_by_role("button", name=opener)
            await button.focus()
            await ann.page.keyboard.press("Enter")
            for _ in range(12):
                where = await ann.page.evaluate("(box) => document.activeElement === document.body || !!document.activeElement.closest(box)", box)
                assert where, f"the focus left {box}"
                await ann.page.keyboard.press("Tab")
            await ann.page.locator(box).get_by_role("button").first.focus()
            await ann.page.keyboard.press("Escape")
            await expect(button).to_be_focused()


async def test_a_drawer_takes_the_focus_at_once(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **PHONE) as ann:
        await ann.page.get_by_role("button", name="Show the channels").tap()
        await expect(ann.page.get_by_role("button", name="Close the channel list")).to_be_focused()


async def test_back_leads_to_the_channel_before(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        heading = ann.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("tavern")
        await ann.page.get_by_role("button", name="library").click()
        await expect(heading).to_have_text("library")
        await ann.page.go_back()
        await expect(heading).to_have_text("tavern")
        await ann.page.go_forward()
        await expect(heading).to_have_text("library")


async def test_menus_of_messages_can_be_seen_where_nothing_hovers(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", **PHONE) as ann:
        await ann.say("/offer")
        await ann.say("quote me")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        more = ann.page.get_by_role("article").filter(has_text="quote me").get_by_role("button", name=re.compile("Actions"))
        await expect(more).to_have_css("opacity", "1")
        await more.tap()
        await expect(ann.page.get_by_role("menuitem", name="Quote")).to_be_visible()


async def test_forced_colours_tell_the_channel_the_choice_and_who_is_here(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place:
        async with place.member("bob") as bob:
            await bob.say("hello")
        async with visitor(chromium, place.address, "ann", forced_colors="active") as ann:
            await expect(ann.page.locator("#members .away")).to_have_count(1)
            await ann.composer.press_sequentially("/h")
            await expect(ann.suggestions.first).to_be_visible()
            look = "(node) => { const { backgroundColor, forcedColorAdjust } = getComputedStyle(node); return [backgroundColor, forcedColorAdjust]; }"
            for kind, other in (
                ("#channel-list [aria-current]", "#channel-list button:not([aria-current])"),
                ("#completion [aria-selected=true]", "#completion [aria-selected=false]"),
                ("#members .member:not(.away) .presence", "#members .away .presence"),
            ):
                (ground, adjusts), (other_ground, _) = [await ann.page.locator(each).first.evaluate(look) for each in (kind, other)]
                assert ground != other_ground and adjusts == "none", f"{kind} is told by a colour of the page's, which is not shown"


async def focused(one: Visitor) -> str:
    """The beginning of what is said in the message that has the focus, or what else has it."""
    return str(
        await one.page.evaluate(
            """() => {
                const held = document.activeElement;
                if (held.matches("article")) return held.querySelector(".said")?.textContent || held.textContent;
                return held.id || held.ariaLabel || held.tagName;
            }"""
        )
    )


async def test_the_log_is_one_tab_stop_and_arrows_lead_through_it(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await bob.say("/offer")
        for number in range(12):
            await bob.say(f"see https://example.org/{number}")
        await ann.sees("see https://example.org/11")
        stops = "() => [...document.querySelectorAll('#log, #log *')].filter((node) => node.tabIndex === 0).length"
        assert await ann.page.evaluate(stops) == 3, "the newest message, its link and its menu"
        await ann.composer.focus()
        for _ in range(6):
            await ann.page.keyboard.press("Shift+Tab")
            if await focused(ann) == "see https://example.org/11":
                break
        for key, there in (
            ("ArrowUp", "see https://example.org/10"),
            ("ArrowUp", "see https://example.org/9"),
            ("ArrowDown", "see https://example.org/10"),
            ("ArrowRight", "A"),
            ("ArrowRight", "Actions for the message of bob"),
            ("ArrowLeft", "A"),
            ("ArrowUp", "see https://example.org/9"),
            ("End", "see https://example.org/11"),
            ("ArrowDown", "see https://example.org/11"),
        ):
            await ann.page.keyboard.press(key)
            assert await focused(ann) == there, key
        await ann.page.keyboard.press("Home")
        assert await ann.page.evaluate("document.activeElement === document.querySelector('#log article')")
        assert await ann.page.evaluate(stops) <= 3


async def test_a_message_that_is_drawn_anew_or_goes_keeps_the_focus_nearby(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        for text in ("/offer", "one", "two"):
            await bob.say(text)
        await ann.sees("two")
        more = ann.page.get_by_role("article").filter(has_text="one").get_by_role("button", name="Actions for the message of bob")
        await more.focus()
        await bob.say("/offer")
        await bob.say("three")
        await ann.sees("three")
        await expect(more).to_be_focused()
        await more.press("Enter")
        await expect(ann.page.get_by_role("menuitem", name="Quote")).to_be_focused()
        await bob.say("/offer")
        await bob.say("four")
        await ann.sees("four")
        await ann.page.keyboard.press("Escape")
        assert await ann.page.evaluate("document.activeElement !== document.body"), "what opened the menu was drawn anew meanwhile"
        await ann.page.get_by_role("article").filter(has_text="two").focus()
        await ann.page.evaluate("document.activeElement.remove()")
        await ann.composer.fill("\x01" * 16_000)
        await ann.composer.press("Enter")
        await ann.log.get_by_role("button", name="Discard").focus()
        await ann.page.keyboard.press("Enter")
        await expect(ann.log.get_by_role("button", name="Discard")).to_have_count(0)
        assert await focused(ann) == "four", "the message before the one that is gone"


async def test_a_press_outlasts_a_redraw_of_the_buttons(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        wave = ann.page.get_by_role("button", name="Wave")
        await wave.hover()
        await ann.page.mouse.down()
        await bob.say("/offer")
        await bob.say("drawn anew")
        await ann.sees("drawn anew")
        await ann.page.mouse.up()
        await ann.sees("ann pressed wave (no): nothing")
        await bob.say("/board plain")
        await expect(ann.page.get_by_role("button", name="plain")).to_be_visible()


async def test_a_drawer_that_is_open_while_the_window_grows_leaves_the_page_usable(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        for size, opener in (((390, 844), "Show the channels"), ((900, 800), "Show members and canvas")):
            await ann.page.set_viewport_size({"width": size[0], "height": size[1]})
            await ann.page.get_by_role("button", name=opener).click()
            await ann.page.set_viewport_size({"width": 1280, "height": 800})
            await expect(ann.page.locator(":popover-open")).to_have_count(0)
            await ann.composer.click()
            await expect(ann.composer).to_be_focused()
            assert not await ann.page.locator("[inert]").count()


async def test_nothing_is_read_out_twice(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(
            """() => {
                const log = document.querySelector("#log");
                globalThis.heard = [];
                const hear = (node) => { if (!log.ariaBusy && node.ariaLive !== "off") heard.push(node.textContent); };
                new MutationObserver((changes) => changes.flatMap((each) => [...each.addedNodes]).forEach(hear)).observe(log, { childList: true });
            }"""
        )
        await ann.say("my own words")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        await bob.say("/brew 3")
        await ann.sees("Brewing")
        for number in range(5):
            async with place.member(f"guest{number}"):
                pass
        await bob.say("the end")
        await ann.sees("the end")
        heard = await ann.page.evaluate("heard")
        for words, times in (("my own words", 1), ("Brewing", 1), ("joined", 0), ("the end", 1)):
            assert sum(words in each for each in heard) == times, (words, heard)
