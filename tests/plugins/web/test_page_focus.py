"""The focus stays where somebody put it, whatever is drawn anew meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, visitor

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
            ground = "(node) => getComputedStyle(node).backgroundColor"
            seen = {}
            for name, kind, other in (
                ("channel", "#channel-list [aria-current]", "#channel-list button:not([aria-current])"),
                ("choice", "#completion [aria-selected=true]", "#completion [aria-selected=false]"),
                ("presence", "#members .member:not(.away) .presence", "#members .away .presence"),
            ):
                seen[name] = [await ann.page.locator(each).first.evaluate(ground) for each in (kind, other)]
            assert not [name for name, (one, another) in seen.items() if one == another], seen
