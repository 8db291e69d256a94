"""The page never stays blank, whatever its address names and whatever the browser has kept, or refuses to keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import Visitor, visitor

pytestmark = pytest.mark.browser

NO_CHANNEL = ["%E0%A4%A", "%", "nothing", "Tavern", "tavern%20", quote("<img src=x onerror=alert(1)>"), "x" * 3000]

STORES = "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, %s);"
BLOCKED = STORES % "{ get() { throw new DOMException('no', 'SecurityError'); } }"
NULL = STORES % "{ value: null }"
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
NONSENSE = ["{", "", "5", "null", "{}", "[1, null, {}]", '{"filter": 1}', "\ud800", "x" * 5000]


async def enter(one: Visitor, address: str) -> None:
    await one.page.goto(address)
    await one.page.get_by_label("Your name").fill("ann")
    await one.page.keyboard.press("Enter")
    await one.is_connected()


@pytest.mark.parametrize("fragment", NO_CHANNEL, ids=lambda text: text[:20])
async def test_an_address_that_names_no_channel_says_so_and_joins_none(tmp_path: Path, chromium: Browser, fragment: str) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address) as ann:
        await enter(ann, f"{place.address}#{fragment}")
        await expect(ann.page.get_by_role("heading", level=1)).to_have_text("There is no such channel")
        await expect(ann.composer).to_be_hidden()
        await expect(ann.page.locator("#nowhere-list button")).to_have_text(["# tavern", "# library"])
        await expect(ann.page.locator("#nowhere")).not_to_contain_text("false")
        assert await ann.page.locator("#nowhere").evaluate("(section) => section.scrollWidth <= section.clientWidth")
        assert [place.service.members(channel) for channel in ("tavern", "library")] == [{}, {}]
        await ann.page.locator("#nowhere").get_by_role("button", name="library").click()
        await ann.sees("ann joined")
        await expect(ann.page).to_have_url(f"{place.address}#library")
        assert list(place.service.members("tavern")) == []
        assert ann.complaints == []


async def test_an_address_that_is_changed_by_hand_is_followed(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        heading = ann.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("tavern")
        await ann.page.goto(f"{place.address}#library")
        await expect(heading).to_have_text("library")
        await ann.page.goto(f"{place.address}#%E0%A4%A")
        await expect(heading).to_have_text("There is no such channel")
        await ann.page.goto(f"{place.address}#tavern")
        await ann.say("back again")
        await ann.sees("back again")
        assert ann.complaints == []


async def test_a_channel_that_is_closed_to_guests_is_named_and_none_is_joined_in_its_place(tmp_path: Path, chromium: Browser) -> None:
    channels = ["tavern", {"id": "cellar", "access": "token"}]
    async with gateway(tmp_path, channels=channels) as place, visitor(chromium, place.address) as ann:
        await enter(ann, f"{place.address}#cellar")
        await expect(ann.page.get_by_role("heading", level=1)).to_have_text("cellar is for people with a token")
        assert list(place.service.members("tavern")) == []
        await ann.page.locator("#nowhere").get_by_role("button", name="I was given a token").click()
        await expect(ann.page.get_by_label("Token", exact=True)).to_be_focused()


async def test_a_guest_who_can_go_nowhere_is_told_so(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, channels=[{"id": "cellar", "access": "token"}]) as place, visitor(chromium, place.address) as ann:
        await enter(ann, place.address)
        await expect(ann.page.get_by_role("heading", level=1)).to_have_text("No channel is open to you")
        await expect(ann.page.locator("#nowhere")).to_contain_text("If you were given a token, it may open one.")


@pytest.mark.parametrize("storage", [BLOCKED, NULL, FULL], ids=["blocked", "null", "full"])
async def test_a_browser_that_keeps_nothing_can_still_be_used(tmp_path: Path, chromium: Browser, storage: str) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address) as ann:
        await ann.page.add_init_script(storage)
        await ann.page.goto(place.address)
        await expect(ann.page.get_by_text("This browser keeps nothing for this page")).to_be_visible()
        await enter(ann, place.address)
        await ann.say("/hit @ann 20")
        await ann.sees("ann hits themselves: 20 damage. ann has 80 of 100 health.")
        await ann.page.keyboard.press("ArrowUp")
        await expect(ann.composer).to_have_value("/hit @ann 20")
        assert ann.complaints == []


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda text: repr(text[:14]))
async def test_what_was_kept_and_is_damaged_does_no_harm(tmp_path: Path, chromium: Browser, nonsense: str) -> None:
    keys = [f"mooring.{key}" for key in ("past", "pending", "read.tavern", "draft.tavern", "unsent")]
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        write = f"for (const key of {json.dumps(keys)}) for (const each of [localStorage, sessionStorage]) each.setItem(key, {json.dumps(nonsense)});"
        await ann.page.evaluate(write)
        await ann.page.reload()
        await ann.is_connected()
        await ann.say("still here")
        await ann.sees("still here")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        assert ann.complaints == []


@pytest.mark.parametrize("nonsense", [each for each in NONSENSE if each], ids=lambda text: repr(text[:14]))
async def test_a_token_that_is_damaged_leads_to_the_form(tmp_path: Path, chromium: Browser, nonsense: str) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(f"localStorage.setItem('mooring.token', {json.dumps(nonsense)})")
        await ann.page.reload()
        await expect(ann.page.get_by_role("alert")).not_to_be_empty()
        await expect(ann.page.locator("#room")).to_be_hidden()
        await ann.page.get_by_label("Your name").fill("bob")
        await ann.page.keyboard.press("Enter")
        await ann.is_connected()


FRAME = {"type": "message_up", "request_id": "r", "tab": "t", "body": {"channel_id": "tavern", "content": {"text": "kept"}}}
NO_FRAMES: list[Any] = [
    *(json.loads(each) for each in NONSENSE if each.startswith(("5", "null", "[", '{"'))),
    *({key: value for key, value in FRAME.items() if key != missing} for missing in FRAME),
    {**FRAME, "body": {"channel_id": "tavern"}},
    {**FRAME, "body": {"channel_id": "tavern", "content": None}},
    {**FRAME, "body": {"channel_id": "tavern", "content": {"text": {}}}},
    {**FRAME, "request_id": "x" * 100},
    {**FRAME, "made": 1e20},
    {**FRAME, "made": "yesterday"},
    {**FRAME, "type": "nonsense"},
    {**FRAME, "body": {"channel_id": "tavern", "content": {"text": "kept"}, "unknown": 1}},
]


async def test_unsent_events_that_are_damaged_stop_nothing(tmp_path: Path, chromium: Browser) -> None:
    write = """(frames) => {
        const member = Object.keys(localStorage).find((key) => key.startsWith("mooring.draft.")).split(".")[2];
        frames.forEach((frame, at) => {
            const made = frame && typeof frame === "object" && !Array.isArray(frame) && !("made" in frame) ? { made: Date.now() } : null;
            localStorage.setItem(`mooring.unsent.${member}.${at}`, JSON.stringify(made ? { ...frame, ...made } : frame));
        });
    }"""
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.composer.fill("a draft names its member")
        await ann.page.evaluate(write, NO_FRAMES)
        await ann.page.reload()
        await ann.is_connected()
        await ann.say("still here")
        await ann.sees("still here")
        assert ann.complaints == []
        await ann.page.reload()
        await ann.sees("still here")
