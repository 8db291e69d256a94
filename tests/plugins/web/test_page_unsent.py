"""What is typed or waits unsent is lost by nothing, is sent once, and in the order in which it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, WebSocketRoute, expect

from tests.plugins.web.cable import cable
from tests.plugins.web.harness import Client, gateway
from tests.plugins.web.visitor import Visitor, visitor

pytestmark = pytest.mark.browser

SWALLOW = "WebSocket.prototype.send = () => {}"
"""Nothing that this page sends goes anywhere, whatever it believes."""

SAY_MANY = """(texts) => {
    for (const text of texts) {
        document.querySelector("#text").value = text;
        document.querySelector("#composer").requestSubmit();
    }
}"""

AGE = """(hours) => {
    for (const key of Object.keys(localStorage).filter((each) => each.startsWith("mooring.unsent."))) {
        const frame = JSON.parse(localStorage[key]);
        localStorage[key] = JSON.stringify({ ...frame, made: frame.made - hours * 3_600_000 });
    }
}"""


async def another_tab(one: Visitor) -> Visitor:
    """The same person once more."""
    other = Visitor(await one.page.context.new_page(), one.address)
    await other.page.goto(one.address)
    return other


async def again(one: Visitor) -> Visitor:
    """The same person in a new tab, after the old one was closed."""
    blank = await one.page.context.new_page()
    await one.page.close()
    other = Visitor(blank, one.address)
    await other.page.goto(one.address)
    return other


def said_by_ann(bob: Client) -> list[str]:
    return [text for text in bob.texts() if not text.endswith("joined")]


async def test_many_quick_messages_keep_their_order(tmp_path: Path, chromium: Browser) -> None:
    texts = [f"word {number}" for number in range(130)]
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(SAY_MANY, texts)
        await bob.until(texts[-1])
        assert said_by_ann(bob) == texts
        await expect(ann.page.locator(".pending")).to_have_count(0)
        assert await ann.log.locator(".said").all_text_contents() == texts


async def test_messages_of_a_full_queue_keep_their_order(tmp_path: Path, chromium: Browser) -> None:
    texts = [f"word {number}" for number in range(30)]
    async with (
        gateway(tmp_path, web={"limits": {"in_flight": 1}}) as place,
        place.member("bob") as bob,
        visitor(chromium, place.address, "ann") as ann,
    ):
        await ann.page.get_by_role("button", name="library").click()
        await ann.page.get_by_role("button", name="tavern").click()
        await ann.say("/nap 1")
        await ann.page.evaluate(SAY_MANY, texts)
        await bob.until(texts[-1])
        assert [text for text in said_by_ann(bob) if text.startswith("word")] == texts


async def test_what_waits_unsent_is_sent_once_by_the_tab_that_comes_after(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        line.cut()
        await expect(ann.page.locator("#state")).not_to_have_attribute("data-state", "live")
        for text in ("one", "two", "three"):
            await ann.say(text)
        await expect(ann.log.get_by_text("not sent yet")).to_have_count(3)
        await ann.composer.fill("half a senten")
        line.plugged = True
        later = await again(ann)
        await later.is_connected()
        await bob.until("three")
        await expect(later.page.locator(".pending")).to_have_count(0)
        assert await later.log.locator(".said").all_text_contents() == ["one", "two", "three"]
        await expect(later.composer).to_have_value("half a senten")
        await later.page.reload()
        await later.is_connected()
        await later.say("four")
        await bob.until("four")
        assert said_by_ann(bob) == ["one", "two", "three", "four"]


async def test_a_message_whose_answer_was_lost_is_not_said_twice(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, cable(place.address) as line, place.member("bob") as bob, visitor(chromium, line.address, "ann") as ann:
        line.delay = 0.5
        await ann.say("one")
        await bob.until("one")
        line.stall()
        line.delay = 0
        later = await again(ann)
        await later.is_connected()
        await later.say("two")
        await bob.until("two")
        await expect(later.page.locator(".pending")).to_have_count(0)
        assert said_by_ann(bob) == ["one", "two"]
        assert await later.log.locator(".said").all_text_contents() == ["one", "two"]


async def test_a_second_tab_sends_what_the_first_has_left_and_not_before(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        second = await another_tab(ann)
        await second.is_connected()
        await ann.page.evaluate(SWALLOW)
        await ann.say("from the first")
        await expect(ann.page.locator(".pending")).to_have_count(1)
        third = await another_tab(ann)
        await third.is_connected()
        for tab, text in ((second, "from the second"), (third, "from the third")):
            await tab.say(text)
            await bob.until(text)
            await expect(tab.page.locator(".pending")).to_have_count(0)
        assert said_by_ann(bob) == ["from the second", "from the third"]
        await ann.page.close()
        await bob.until("from the first")
        for tab in (second, third):
            await tab.sees("from the first")
            await expect(tab.page.locator(".pending")).to_have_count(0)
        await second.say("the end")
        await bob.until("the end")
        assert said_by_ann(bob) == ["from the second", "from the third", "from the first", "the end"]


async def test_drafts_are_each_members_own(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, visitor(chromium, place.address, "ann") as ann:
        await ann.composer.fill("ann's own")
        token = await ann.page.evaluate("localStorage['mooring.token']")
        await ann.page.evaluate("localStorage.removeItem('mooring.token')")
        await ann.page.reload()
        await ann.come("bob")
        await expect(ann.composer).to_have_value("")
        await ann.page.evaluate("(token) => { localStorage['mooring.token'] = token; }", token)
        await ann.page.reload()
        await ann.is_connected()
        await expect(ann.composer).to_have_value("ann's own")


async def test_what_one_member_has_not_sent_is_not_sent_as_another(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("carl") as carl, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(SWALLOW)
        await ann.say("ann's own")
        token = await ann.page.evaluate("localStorage['mooring.token']")
        await ann.page.evaluate("localStorage.removeItem('mooring.token')")
        await ann.page.reload()
        await ann.come("bob")
        await ann.say("bob's own")
        assert (await carl.until("bob's own"))["body"]["sender_name"] == "bob"
        await ann.page.evaluate("(token) => { localStorage['mooring.token'] = token; }", token)
        await ann.page.reload()
        assert (await carl.until("ann's own"))["body"]["sender_name"] == "ann"


async def test_a_message_that_cannot_be_sent_says_so_stays_and_stops_nothing(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(SAY_MANY, ["\x07" * 16_000, "half a character: \ud83d", "after it"])
        await bob.until("half a character: \ufffd")
        await bob.until("after it")
        await expect(ann.log.get_by_text("A frame has at most 65536 characters")).to_be_visible()
        await ann.page.reload()
        await expect(ann.log.get_by_text("A frame has at most 65536 characters")).to_be_visible()
        await ann.log.get_by_role("button", name="Discard").click()
        await expect(ann.page.locator(".pending")).to_have_count(0)
        await ann.page.reload()
        await ann.sees("after it")
        await expect(ann.page.locator(".pending")).to_have_count(0)


async def test_what_was_written_long_ago_and_may_have_been_sent_is_not_sent_again(tmp_path: Path, chromium: Browser) -> None:
    async with gateway(tmp_path) as place, place.member("bob") as bob, visitor(chromium, place.address, "ann") as ann:
        await ann.page.evaluate(SWALLOW)
        await ann.say("a day ago")
        await ann.page.evaluate(AGE, 23)
        await ann.page.reload()
        await expect(ann.log.get_by_text("This was written a while ago, and may have been sent.")).to_be_visible()
        await ann.say("today")
        await bob.until("today")
        assert said_by_ann(bob) == ["today"]
        await ann.log.get_by_role("button", name="Edit and send again").click()
        await expect(ann.composer).to_have_value("a day ago")
        await expect(ann.page.locator(".pending")).to_have_count(0)


async def test_what_was_asked_and_refused_for_a_while_is_asked_again(tmp_path: Path, chromium: Browser) -> None:
    refused: list[str] = []

    async def refuse_once(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] in refused or frame["type"] not in {"hello", "join", "history"}:
                server.send(message)
                return
            refused.append(frame["type"])
            answer = {"type": "error", "request_id": frame["request_id"], "body": {"code": "too_fast", "message": "Wait a second.", "retry": True}}
            route.send(json.dumps(answer))

        route.on_message(pass_on)

    async with gateway(tmp_path, web={"limits": {"burst": 200}}) as place, place.member("bob") as bob, visitor(chromium, place.address) as ann:
        for number in range(70):
            await bob.say(f"word {number}")
        await ann.page.route_web_socket("**/ws", refuse_once)
        await ann.come("ann")
        await ann.sees("word 69")
        await ann.log.evaluate("(log) => { log.scrollTop = 0; }")
        await expect(ann.log.get_by_text("word 10", exact=True)).to_have_count(1)
        assert refused == ["hello", "join", "history"]
        assert ann.complaints == []
