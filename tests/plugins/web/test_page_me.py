"""What somebody can do about themselves: another name, a theme, notifications, leaving, logging out and being forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.plugins.web.harness import gateway
from tests.plugins.web.visitor import PHONE, Visitor, visitor

pytestmark = pytest.mark.browser


async def me(one: Visitor, name: str) -> Locator:
    """The dialog about oneself, open."""
    await one.page.get_by_role("button", name=name, exact=True).click()
    dialog = one.page.get_by_role("dialog", name="You and this page")
    await expect(dialog).to_be_visible()
    return dialog


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
async def test_a_guest_takes_another_name_and_stays_who_they_are(tmp_path: Path, chromium: Browser, options: dict[str, object]) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann", **options) as ann:
        await ann.say("/hit @ann 20")
        if options:
            await ann.page.get_by_role("button", name="Show the channels").tap()
        dialog = await me(ann, "ann")
        await dialog.get_by_label("What others call you").fill("anna")
        await ann.page.keyboard.press("Enter")
        await expect(ann.page.locator("#me .name")).to_have_text("anna")
        await ann.is_connected()
        own = ann.page.locator("#mine" if options else "#members .member:has(.who > .tag)").get_by_role("meter", name="Health")
        await expect(own).to_have_attribute("aria-valuenow", "80")
        await ann.page.reload()
        await expect(ann.page.locator("#me .name")).to_have_text("anna")
        assert (await bob.say("/hit @anna 5"))["body"]["ok"]
        assert not ann.complaints


async def test_a_name_that_is_taken_is_refused_and_the_old_one_stays(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob"), visitor(chromium, place.address, "ann") as ann:
        dialog = await me(ann, "ann")
        await dialog.get_by_label("What others call you").fill("bob")
        await dialog.get_by_role("button", name="Rename").click()
        await expect(ann.page.get_by_text("The name bob is taken")).to_be_visible()
        await ann.page.reload()
        await expect(ann.page.locator("#me .name")).to_have_text("ann")


async def test_a_theme_is_kept(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann", color_scheme="light") as ann:
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await ann.page.evaluate(ground)
        dialog = await me(ann, "ann")
        await dialog.get_by_label("Theme").select_option("Dark")
        dark = await ann.page.evaluate(ground)
        assert dark != light
        await dialog.get_by_role("button", name="Close").click()
        await ann.page.reload()
        await ann.is_connected()
        assert await ann.page.evaluate(ground) == dark


async def test_notifications_are_off_until_they_are_wanted_and_tell_of_mentions_alone(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(
            """() => {
                globalThis.told = [];
                globalThis.Notification = class {
                    constructor(title, { body }) { told.push([title, body]); }
                    static requestPermission() { told.push("asked"); }
                };
                Object.defineProperty(document, "hidden", { get: () => true });
            }"""
        )
        await bob.say("psst, @Ann")
        await ann.sees("psst, @Ann")
        dialog = await me(ann, "ann")
        await dialog.get_by_label("Notifications when somebody speaks to you").select_option("On")
        await dialog.get_by_role("button", name="Close").click()
        await bob.say("nothing for her")
        await bob.say("hello @ann")
        await bob.say("the end")
        await ann.sees("the end")
        assert await ann.page.evaluate("told") == ["asked", ["tavern", "hello @ann"]]


async def test_whoever_leaves_a_channel_is_asked_where_to_go(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        dialog = await me(ann, "ann")
        await dialog.get_by_role("button", name="Leave this channel").click()
        await expect(ann.page.get_by_role("heading", level=1)).to_have_text("Where to?")
        await bob.until("ann left")
        await ann.page.locator("#nowhere-list").get_by_role("button", name="tavern").click()
        await expect(ann.log.get_by_text("bob and ann joined, ann left", exact=True).last).to_be_visible()
        await ann.say("back again")
        await bob.until("back again")
        assert not ann.complaints


async def test_who_logs_out_comes_in_by_the_form_and_who_is_forgotten_leaves_nothing(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await (await me(ann, "ann")).get_by_role("button", name="Log out").click()
        await expect(ann.page.get_by_label("Your name")).to_have_value("ann")
        await ann.page.get_by_label("Your name").fill("eve")
        await ann.page.keyboard.press("Enter")
        await ann.is_connected()
        await ann.say("a word")
        await bob.until("a word")
        await (await me(ann, "eve")).get_by_role("button", name="Leave all and forget me").click()
        await expect(ann.page.get_by_label("Your name")).to_have_value("")
        await bob.until("eve left")
        assert await ann.page.evaluate("Object.keys(localStorage)") == []
