"""The menu of a message: what its author and those in charge can do from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from mooring import set_role
from tests.plugins.web.harness import Client, Gateway, gateway
from tests.plugins.web.visitor import visitor


async def choose(who: Client, item: str, message: dict[str, Any], **given: str) -> dict[str, Any]:
    """Choose an item of the menu of a message; gives what it was answered."""
    body = {
        "channel_id": "tavern",
        "menu_item_id": item,
        "message_id": message["message_id"],
        "message_subtype": "text",
        "message_content": message["content"],
        "arguments": [{"label": label.replace("_", " "), "value": value} for label, value in given.items()],
    }
    answer: dict[str, Any] = (await who.ask("menu_item_click", body))["body"]
    return answer


def offered(who: Client) -> list[str]:
    newest = [frame["body"]["items"] for frame in who.frames if frame["type"] == "menu"][-1]
    return [item["menu_item_id"] for item in newest]


async def moderator(place: Gateway, name: str = "mo") -> None:
    """Make somebody who is in the channel a moderator of it."""
    member_id = next(each for each, member in place.service.members("tavern").items() if member.name == name)

    async def raise_up(ctx: Any) -> None:
        set_role(ctx, ctx.channel.get(member_id), "moderator")

    await place.service.in_channel("tavern", raise_up)


async def test_authors_edit_and_delete_what_they_said_and_nobody_elses(tmp_path: Path) -> None:
    async with gateway(tmp_path, plugins=["moderation"]) as place, place.member("ann") as ann, place.member("bob") as bob:
        assert offered(ann) == ["edit", "delete_own"]
        await ann.say("teh word")
        said = (await bob.until("teh word"))["body"]
        assert not (await choose(bob, "edit", said, Text="mine"))["ok"]
        assert not (await choose(bob, "delete_own", said))["ok"]
        assert not (await choose(bob, "kick", said))["ok"], "he is not in charge"
        assert not (await choose(ann, "edit", said, Text=" "))["ok"]
        answer = await choose(ann, "edit", said, Text="the word")
        assert answer["ok"], answer
        edited = (await bob.until("the word"))["body"]
        assert (edited["message_id"], edited["sender"], "edited" in edited["context"]) == (said["message_id"], said["sender"], True)
        assert (await choose(ann, "delete_own", said))["ok"]
        await ann.say("the end")
        await bob.until("the end")
        assert any((frame["body"].get("context") or {}).get("deleted") for frame in bob.frames if frame["type"] == "message_down")
        assert not (await choose(ann, "edit", said, Text="not gone"))["ok"]


async def test_those_in_charge_act_from_a_message_with_a_reason(tmp_path: Path) -> None:
    async with gateway(tmp_path, plugins=["moderation"]) as place, place.member("ann") as ann, place.member("mo") as mo:
        await moderator(place)
        await mo.ask("refresh", {"channel_id": "tavern"})
        assert offered(mo) == ["edit", "delete_own", "delete", "warn", "mute", "kick", "ban"]
        await ann.say("something rude")
        said = (await mo.until("something rude"))["body"]
        assert (await choose(mo, "warn", said, Reason="mind your words"))["ok"]
        await ann.until("ann is warned: mind your words. Warnings so far: 1.")
        assert not (await choose(mo, "mute", said, How_long="a while"))["ok"]
        assert (await choose(mo, "mute", said, How_long="10m", Reason="calm down"))["ok"]
        await ann.until("ann is muted for 10m: calm down.")
        assert not (await ann.say("but"))["body"]["ok"]
        assert (await choose(mo, "ban", said, How_long="for ever", Reason="enough"))["ok"]
        await mo.until("ann is banned: enough.")
        assert not (await choose(mo, "kick", said))["ok"], "she is not here any more"


@pytest.mark.browser
async def test_an_author_edits_in_the_page_and_a_moderator_sees_the_menu(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path, plugins=["moderation"]) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await bob.say("not hers")
        await ann.say("teh **word**")
        await bob.until("teh **word**")
        await expect(ann.page.locator(".pending")).to_have_count(0)
        await expect(ann.page.get_by_role("button", name="Actions for the message of bob")).to_have_count(0)
        actions = ann.page.get_by_role("button", name="Actions for the message of ann")
        await actions.focus()
        await ann.page.keyboard.press("Enter")
        await ann.page.get_by_role("menuitem", name="Edit…").click()
        field = ann.page.get_by_role("textbox", name="Text")
        await expect(field).to_have_value("teh **word**")
        await field.fill("the **word**")
        await ann.page.get_by_role("button", name="OK").click()
        message = ann.page.get_by_role("article", name="ann")
        await expect(message.locator(".said")).to_have_text("the word")
        await expect(message.get_by_text("edited")).to_be_visible()
        await actions.focus()
        await ann.page.keyboard.press("Enter")
        await ann.page.get_by_role("menuitem", name="Delete").click()
        await expect(message.get_by_text("deleted")).to_be_visible()
        await expect(message.locator(".said")).to_have_count(0)
        await moderator(place, "ann")
        await ann.page.reload()
        await ann.page.get_by_role("article", name="bob").hover()
        await ann.page.get_by_role("button", name="Actions for the message of bob").click()
        await ann.page.get_by_role("menuitem", name="Put out who said this…").click()
        await ann.page.get_by_role("textbox", name="Reason").fill("late")
        await ann.page.get_by_role("button", name="OK").click()
        await ann.sees("bob was put out: late.")
        assert not ann.complaints
