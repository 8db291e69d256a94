"""Guests over real sockets: their names, which give way, what becomes of those who stay away, and how one becomes more."""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from websockets.exceptions import ConnectionClosed

from mooring import Context, Member, set_role
from mooring.plugins.web.identity import Identities
from mooring.plugins.web.token_files import TokenFiles
from mooring.service.guests import forget_passers_by
from tests.mooring.cli.test_channels import mooring
from tests.plugins.web.harness import Client, Gateway, gateway
from tests.plugins.web.visitor import visitor
from tests.process_for_tests import member, start, write_configs
from tests.waiting_for_tests import eventually

DAY = 86_400


def operator_of(folder: Path) -> Identities:
    return Identities(TokenFiles(folder / "gateway"))


def names(place: Gateway, channel: str = "tavern") -> dict[str, str]:
    return {member_id: each.name for member_id, each in place.service.members(channel).items()}


def role(place: Gateway, member_id: str, channel: str = "tavern") -> Any:
    return (place.service.members(channel)[member_id].character_context or {})["role"]


def is_called(place: Gateway, channel: str, name: str) -> bool:
    return list(names(place, channel).values()) == [name]


async def put_out(client: Client) -> int | None:
    with pytest.raises(ConnectionClosed):
        while True:
            await client.ask("ping")
            await asyncio.sleep(0.05)
    return client.socket.close_code


@pytest.mark.parametrize("wanted", ["olga", "0lga", "Olga"])
@pytest.mark.parametrize("is_here", [True, False])
async def test_a_name_that_is_given_is_its_owners_though_a_guest_has_it(tmp_path: Path, wanted: str, is_here: bool) -> None:
    operator = operator_of(tmp_path)
    async with gateway(tmp_path) as place:
        async with place.member(wanted, "tavern", "library") as guest:
            guest_id = guest.welcome["member_id"]
            await guest.say("/hit @olga 20".replace("olga", wanted))
            if is_here:
                await come_in(place, operator, guest_id, wanted)
                assert (await guest.say("I am still here"))["body"]["ok"]
        if not is_here:
            await come_in(place, operator, guest_id, wanted)
        async with place.returning(guest.welcome["token"]) as back:
            assert (back.welcome["name"], back.welcome["member_id"]) == (f"{wanted}-guest", guest_id)
            await back.say("/bars")
            assert "80 of 100 health" in back.texts()[-1]
            await back.join("library")
            assert names(place, "library")[guest_id] == f"{wanted}-guest"


async def come_in(place: Gateway, operator: Identities, guest_id: str, wanted: str) -> None:
    _, token = await asyncio.to_thread(operator.give, "olga", {"*": "moderator"})
    async with place.returning(token) as olga:
        assert olga.welcome["name"] == "olga"
        assert names(place) == {guest_id: f"{wanted}-guest", olga.welcome["member_id"]: "olga"}


async def test_a_guest_is_renamed_as_soon_as_the_name_is_given(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place, place.member("olga", "tavern", "library") as guest:
        await asyncio.to_thread(operator.give, "olga", {})
        assert (await guest.wait_for("welcome"))["body"]["name"] == "olga-guest"
        for channel in ("tavern", "library"):
            await eventually(partial(is_called, place, channel, "olga-guest"))


async def test_two_whose_names_were_given_and_look_alike_do_not_take_turns(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    tokens = [operator.give(name, {})[1] for name in ("olga", "0lga")]
    async with gateway(tmp_path) as place, place.returning(tokens[0]), place.connection() as second:
        await second.hello(token=tokens[1])
        assert (await second.ask("join", {"channel_id": "tavern"}))["body"]["code"] == "name_taken"


@pytest.mark.parametrize(("days", "is_free"), [(29, False), (31, True)])
async def test_the_name_of_a_guest_is_free_when_they_were_away_for_long(tmp_path: Path, days: int, is_free: bool) -> None:
    async with gateway(tmp_path, guest_days=30) as place, place.member("ann") as ann:
        ann_id, token = ann.welcome["member_id"], ann.welcome["token"]
    later = time.time() + days * DAY
    async with gateway(tmp_path, guest_days=30, clock=lambda: later) as place, place.connection() as other:
        answer = await other.hello(name="Ann")
        assert answer["body"].get("code") == (None if is_free else "name_taken")
        if is_free:
            await other.join()
            assert names(place) == {ann_id: "ann-guest", other.welcome["member_id"]: "Ann"}
        else:
            async with place.returning(token) as back:
                assert back.welcome["name"] == "ann"


async def test_a_guest_who_looks_after_the_channel_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path, guest_days=30) as place, place.member("ann", "tavern", "library") as ann:
        (member,) = (Member.of(each) for each in place.service.members("tavern").values())

        async def promote(ctx: Context) -> None:
            set_role(ctx, member, "moderator")

        await place.service.in_channel("tavern", promote)
    later = time.time() + 31 * DAY
    monkeypatch.setattr(time, "time", lambda: later)
    async with gateway(tmp_path, guest_days=30, clock=lambda: later) as place:
        async with place.connection() as other:
            assert (await other.hello(name="ann"))["body"]["code"] == "name_taken"
        async with place.returning(ann.welcome["token"]) as back:
            assert (back.welcome["name"], role(place, member.id)) == ("ann", "moderator")


async def test_a_guest_who_comes_back_in_time_stays_known(tmp_path: Path) -> None:
    async with gateway(tmp_path, guest_days=30) as place, place.member("ann") as ann:
        token = ann.welcome["token"]
    start = time.time()
    for days in (20, 40, 60):
        async with gateway(tmp_path, guest_days=30, clock=lambda days=days: start + days * DAY) as place:
            async with place.connection() as other:
                assert (await other.hello(name="ann"))["body"]["code"] == "name_taken"
            async with place.returning(token) as back:
                assert back.welcome["name"] == "ann"


async def test_a_guest_who_stays_is_not_forgotten_when_they_go(tmp_path: Path) -> None:
    async with gateway(tmp_path, guest_days=6 / DAY) as place:
        async with place.member("ann") as ann:
            joined = time.time()
            member_id = ann.welcome["member_id"]
            channel = place.service._hosted["tavern"]
            await eventually(lambda: (channel.state.members.handed(member_id) or {})["seen"] > joined + 6)
        async with place.connection() as other:
            assert (await other.hello(name="ann"))["body"]["code"] == "name_taken"
        async with place.returning(ann.welcome["token"]) as back:
            assert back.welcome["name"] == "ann"
        async with place.connection() as other:
            await other.hello_until_welcome("ann")


async def test_a_guest_session_ends_when_it_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path, guest_days=30) as place, place.member("ann") as ann:
        token = ann.welcome["token"]
        async with place.connection() as idle:
            unused = (await idle.hello(name="bob"))["body"]["token"]
    later = time.time() + 31 * DAY
    monkeypatch.setattr(time, "time", lambda: later)
    async with gateway(tmp_path, guest_days=30, clock=lambda: later) as place:
        for old in (token, unused):
            async with place.connection() as client:
                answer = (await client.hello(token=old))["body"]
                assert answer["code"] == "bad_token"
                assert "away for longer" in answer["message"]


async def test_a_guest_trades_in_a_token_and_keeps_what_is_theirs(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place, place.member("ann", "tavern", "library") as ann:
        await ann.say("/hit @ann 20")
        guest_token, member_id = ann.welcome["token"], ann.welcome["member_id"]
        _, token = await asyncio.to_thread(operator.give, "olga", {"*": "moderator"})
        for _ in range(2):  # the answer may be lost
            async with place.connection() as more:
                welcome = (await more.hello(token=token, guest=guest_token))["body"]
                assert (welcome["member_id"], welcome["name"]) == (member_id, "olga")
                await more.join()
                await more.say("/bars")
                assert more.texts()[-1] == "olga has 80 of 100 health and 100 of 100 mana."
                assert (names(place), role(place, member_id)) == ({member_id: "olga"}, "moderator")
        await eventually(lambda: role(place, member_id, "library") == "moderator")
        assert await put_out(ann) == 1012, "whoever has the guest's token has no role with it"
        async with place.connection() as old:
            assert (await old.hello(token=guest_token))["body"]["code"] == "bad_token"
        async with place.returning(token) as back:
            assert back.welcome["member_id"] == member_id
        async with place.returning(welcome["token"]) as back:
            assert back.welcome["member_id"] == member_id


async def test_a_token_that_was_used_is_traded_in_by_nobody(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    _, token = operator.give("olga", {})
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        async with place.returning(token) as olga:
            olga_id = olga.welcome["member_id"]
        await eventually(lambda: any(line.used for line in operator_of(tmp_path).given().values()))
        for guest_token in (ann.welcome["token"], token, "nothing"):
            async with place.connection() as more:
                answer = await more.hello(token=token, guest=guest_token)
                is_own = guest_token == token
                assert answer["body"].get("code") == "bad_token", is_own
        async with place.returning(token) as olga, place.returning(ann.welcome["token"]):
            assert olga.welcome["member_id"] == olga_id


async def test_a_guest_who_is_turned_out_is_gone_everywhere_and_comes_back_as_nobody(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place:
        async with place.member("bob", "library") as bob:
            pass
        async with place.member("ann", "tavern", "library") as ann:
            for guest in (ann, bob):
                await asyncio.to_thread(operator.turn_out, guest.welcome["member_id"], "")
            assert await put_out(ann) == 1008
        await eventually(lambda: not names(place) and not names(place, "library"))
        async with place.connection() as back:
            assert (await back.hello(token=bob.welcome["token"]))["body"]["message"] == "This token was revoked."
        async with place.connection() as new:
            assert (await new.hello(name="bob"))["type"] == "welcome"


async def test_a_role_ends_with_its_token_where_its_bearer_is_listed_while_away(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    _, token = operator.give("olga", {"*": "moderator"})
    member_id = operator.check(token).member_id
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place:
        async with place.returning(token) as olga:
            await olga.join("library")
        assert (role(place, member_id), role(place, member_id, "library")) == ("moderator", "moderator")
        await asyncio.to_thread(operator.give, "olga", {"library": "owner"})
        await eventually(lambda: (role(place, member_id), role(place, member_id, "library")) == ("member", "owner"))
        await asyncio.to_thread(operator.revoke, "olga")
        await eventually(lambda: (role(place, member_id), role(place, member_id, "library")) == ("member", "member"))
        await asyncio.to_thread(operator.give, "olga", {"*": "moderator"}, 3)
        await eventually(lambda: role(place, member_id) == "moderator")
        await eventually(lambda: role(place, member_id) == "member")
        _, again = await asyncio.to_thread(operator.give, "olga", {"*": "moderator"})
        async with place.returning(again):
            assert role(place, member_id) == "moderator"
    await asyncio.to_thread(operator.revoke, "olga")
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place:
        await eventually(lambda: role(place, member_id) == "member")


async def test_the_command_line_lists_guests_and_ends_one(tmp_path: Path) -> None:
    options = write_configs(tmp_path)

    async def token(*line: str) -> tuple[int, str]:
        return await mooring(tmp_path, "token", *line)

    assert (await mooring(tmp_path, "channel", "create", "club"))[0] == 0
    process = await start(tmp_path, *options)
    async with member(process.address, "club", name="ann") as ann, member(process.address, "tavern", name="bob"):
        code, said = await token("guests")
        lines = {line.split("  ")[1]: line.split("  ")[2:] for line in said.splitlines()}
        assert (code, lines) == (0, {"ann": ["in club", "here now"], "bob": ["in tavern", "here now"]}), said
        member_id = next(line for line in said.splitlines() if "ann" in line).split("  ")[0]
        code, said = await token("revoke", member_id)
        assert (code, said.strip()) == (0, f"Revoked {member_id}."), said
        with pytest.raises(ConnectionClosed):
            while True:
                await ann.say("am I here?", "club")
        code, said = await token("revoke", "nobody")
        assert (code, "no guest" in said) == (1, True), said
    assert (await process.end())[0] == 0
    code, said = await token("guests")
    assert (code, re.fullmatch(r"m-\w+  bob  in tavern  away for \d+s", said.strip()) is not None) == (0, True), said
    assert (await token("revoke", "bob"))[0] == 0
    code, said = await token("list")
    assert (code, said.count("guest m-"), said.count("revoked 20")) == (0, 2, 2), said


@pytest.mark.browser
async def test_in_the_page_a_guest_becomes_more_and_stays_who_they_are(tmp_path: Path, chromium: Browser) -> None:
    operator = operator_of(tmp_path)
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place, visitor(chromium, place.address, "ann") as ann:
        (member_id,) = names(place)
        await ann.say("/hit @ann 20")
        token_field = ann.page.get_by_label("Token")
        offer = ann.page.get_by_role("button", name="I was given a token")
        await ann.page.get_by_role("button", name="ann", exact=True).click()
        await offer.click()
        await token_field.fill("nothing good")
        await ann.page.keyboard.press("Enter")
        await expect(ann.page.get_by_text("This token was not made by this service.")).to_be_visible()
        _, token = await asyncio.to_thread(operator.give, "olga", {"*": "moderator"})
        await token_field.fill(token)
        second = await ann.page.context.new_page()
        await second.goto(place.address)
        await expect(second.locator("#me")).to_contain_text("ann")
        await ann.page.keyboard.press("Enter")
        for page in (ann.page, second):
            await expect(page.locator("#me")).to_have_text(re.compile("olga$"))
        await ann.is_connected()
        assert (names(place), role(place, member_id)) == ({member_id: "olga"}, "moderator")
        assert await ann.bar("olga", "Health") == ("80", "80/100")
        assert ann.complaints == []


@pytest.mark.browser
async def test_the_page_says_what_a_guest_is_called_whose_name_was_given(tmp_path: Path, chromium: Browser) -> None:
    operator = operator_of(tmp_path)
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place, visitor(chromium, place.address, "olga") as guest:
        await guest.composer.fill("half a wo")
        await asyncio.to_thread(operator.give, "olga", {})
        await expect(guest.page.locator("#me .name")).to_have_text("olga-guest")
        assert await guest.composer.input_value() == "half a wo"
        await guest.say("who am I?")
        await guest.sees("who am I?")
        await expect(guest.page.locator("#members")).to_contain_text("olga-guest")
        assert guest.complaints == []


async def test_guests_who_never_did_anything_are_forgotten_soon_after_they_left(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        async with place.member("ann") as ann, place.member("bob") as bob, place.member("eve", "tavern", "library") as stays:
            await ann.say("good evening")
        async with place.returning(stays.welcome["token"]):
            for minutes, left in ((59, ["ann", "bob", "eve"]), (61, ["ann", "eve"])):
                later = partial(float, time.time() + minutes * 60)
                for channel in ("tavern", "library"):
                    await forget_passers_by(place.service, place.service._hosted[channel], later, 3600)
                assert list(names(place).values()) == left
            assert not names(place, "library")
        async with place.returning(bob.welcome["token"]) as back:
            assert (back.welcome["name"], names(place)[back.welcome["member_id"]]) == ("bob", "bob")


async def test_a_channel_is_full_of_those_who_are_here(tmp_path: Path) -> None:
    operator = operator_of(tmp_path)
    _, token = operator.give("olga", {"*": "moderator"})
    async with gateway(tmp_path, web={"limits": {"members_per_channel": 2}}) as place:
        async with place.member("ann") as ann:
            await ann.say("good evening")
        for number in range(4):
            async with place.member(f"guest{number}") as passer_by:
                pass
        async with place.member("bob"), place.member("eve"):
            for turned_away in ({"name": "carl"}, {"token": passer_by.welcome["token"]}):
                async with place.connection() as other:
                    await other.hello(**turned_away)
                    assert (await other.ask("join", {"channel_id": "tavern"}))["body"]["code"] == "channel_full"
            async with place.returning(ann.welcome["token"]), place.returning(token) as olga:
                assert role(place, olga.welcome["member_id"]) == "moderator"
