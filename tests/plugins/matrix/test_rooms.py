"""What the suite for gateways does not ask: what is particular to Matrix, on a real homeserver."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mooring import Context, Room
from mooring.plugins.matrix import homeserver, status
from tests.outbox.running_for_tests import measured
from tests.plugins.matrix.network import Matrix
from tests.plugins.matrix.synapse import Synapse
from tests.process_for_tests import start, write_configs
from tests.service_for_tests import Driver, json_dicts, running
from tests.shared.cutting_proxy import CuttingProxy
from tests.waiting_for_tests import eventually

SECONDS = 30.0
PLUGINS = str(Path(__file__).parent / "plugins")
_numbers = itertools.count()


@pytest.fixture
def matrix(tmp_path: Path, synapse: Synapse) -> Matrix:
    return Matrix(synapse, tmp_path, f"guard{next(_numbers)}")


@asynccontextmanager
async def serving(folder: Path, matrix: Matrix, *rooms: str) -> AsyncIterator[Driver]:
    """The channel has both rooms, or these."""
    channels = [{"id": "tavern", "rooms": list(rooms) or [matrix.here, matrix.there]}]
    async with running(folder / "data", channels=channels, plugins=["bars", *matrix.config()["plugins"]]) as driver:
        yield driver


def contents(matrix: Matrix, room: str) -> list[dict[str, Any]]:
    """What the bot said, joins aside."""
    own = [event for event in matrix.synapse.events(room.removeprefix("matrix/")) if event["sender"] == matrix.bot]
    found = [event["content"] for event in own if event["type"] == "m.room.message"]
    return [content for content in found if not content["body"].endswith(" joined")]


async def test_what_a_sync_leaves_out_is_read_page_by_page(tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homeserver, "PAGE", 4)
    monkeypatch.setitem(homeserver.SYNC_FILTER["room"]["timeline"], "limit", 4)
    expected = [f"line {number}" for number in range(18)]
    async with serving(tmp_path, matrix):
        await matrix.say("ann", expected[0], event="0")
        await eventually(lambda: matrix.said(matrix.there) == expected[:1], SECONDS)
        for number in range(1, 10):  # in less time than it takes to ask for them
            await matrix.say("ann", expected[number], event=str(number))
        await eventually(lambda: matrix.said(matrix.there) == expected[:10], SECONDS)
    for number in range(10, 18):
        await matrix.say("ann", expected[number], event=str(number))
    async with serving(tmp_path, matrix):
        await eventually(lambda: len(matrix.said(matrix.there)) == 18, SECONDS)
    assert matrix.said(matrix.there) == expected


async def test_only_what_people_say_anew_is_said_in_the_channel(tmp_path: Path, synapse: Synapse) -> None:
    room = synapse.make_room("ann")
    synapse.say(room, "ann", "before the bot came", event="0")
    matrix = Matrix(synapse, tmp_path, f"guard{next(_numbers)}", here=room)
    event = synapse.say(room, "ann", "one", event="1")
    synapse.say(room, "ann", "* uno", event="2", **{"m.new_content": {"msgtype": "m.text", "body": "uno"}, "m.relates_to": replaces(event)})
    gone = synapse.say(room, "ann", "gone", event="3")
    synapse.ask("PUT", f"rooms/{room}/redact/{gone}/4", "ann", json={})
    synapse.send(room, "ann", {"msgtype": "m.notice", "body": "what a bot says"}, event="5")
    synapse.send(room, "ann", {"msgtype": "m.emote", "body": "waves"}, event="6")
    synapse.send(room, "ann", {"msgtype": "m.image", "body": "/hit ann", "url": "mxc://localhost/x"}, event="7")
    synapse.say(room, "ann", "> <@bob:localhost> so?\n\nyes", event="9", **{"m.relates_to": {"m.in_reply_to": {"event_id": event}}})
    async with serving(tmp_path, matrix) as driver:
        await driver.join("owner")
        await driver.say("owner", "from the page")
        synapse.say(room, "ann", "last", event="10", format="org.matrix.custom.html", formatted_body="<script>alert(1)</script>")
        await eventually(lambda: "last" in matrix.said(matrix.there), SECONDS)
        said = [text for text in driver.recorder.texts() if text not in {"from the page", "ann joined", "owner joined"}]
    assert said == ["one", "* waves", "sent a picture: /hit ann", "yes", "last"]


def replaces(event: str) -> dict[str, str]:
    return {"rel_type": "m.replace", "event_id": event}


@pytest.mark.slow
async def test_a_kill_in_the_middle_of_a_command_loses_and_doubles_nothing(tmp_path: Path, matrix: Matrix) -> None:
    (tmp_path / "process").mkdir()
    dying = {"name": "dying", "config": {"mark": str(tmp_path / "mark")}}
    options = write_configs(
        tmp_path / "process",
        plugins=["bars", dying, *matrix.config()["plugins"], {"name": "web", "config": {"port": 0}}],
        db=json_dicts(tmp_path / "data", "health_bars", "mana_bars", "*"),
        channels=[{"id": "tavern", "rooms": [matrix.here, matrix.there]}],
        plugin_folders=[PLUGINS],
    )
    for number in range(5):
        await matrix.say("ann", "/count", event=str(number))
    killed = await start(tmp_path / "process", *options)
    await killed.wait()
    assert (tmp_path / "mark").exists()
    process = await start(tmp_path / "process", *options)
    expected = [f"counted {number + 1}" for number in range(5)]
    await eventually(lambda: replies(matrix, matrix.here) == expected and replies(matrix, matrix.there) == expected, SECONDS)
    code, log = await process.end()
    assert code == 0, log


def replies(matrix: Matrix, room: str) -> list[str]:
    return [text for text in matrix.said(room) if text.startswith("counted")]


async def test_a_homeserver_that_is_asked_too_often_gets_all_a_little_later(tmp_path: Path, matrix: Matrix) -> None:
    limit = f"{matrix.synapse.address}/_synapse/admin/v1/users/{matrix.bot}/override_ratelimit"
    matrix.synapse.ask("POST", limit, token=matrix.synapse.admin(), json={"messages_per_second": 4, "burst_count": 1})
    expected = [f"line {number}" for number in range(3)]
    async with serving(tmp_path, matrix, matrix.here) as driver:
        await driver.join("ann")
        for text in expected:
            await driver.say("ann", text)
        await eventually(lambda: matrix.said(matrix.here) == expected, SECONDS)
        assert measured(driver, "results")["retries"] > 0


async def test_a_token_that_is_void_is_told_once_and_a_new_one_is_taken(
    tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(status, "_TOKEN_PAUSE", 0.05)
    async with serving(tmp_path, matrix) as driver:
        await driver.join("bob")
        await driver.say("bob", "before")
        await eventually(lambda: matrix.said(matrix.here) == ["before"], SECONDS)
        matrix.synapse.ask("POST", "logout", token=matrix.token, json={})
        await eventually(lambda: "access token is refused" in str(driver.service.health()["problems"]), SECONDS)
        await driver.say("bob", "meanwhile")
        asked = homeserver_asked(caplog)
        await eventually(lambda: homeserver_asked(caplog) == asked == 1)
        matrix.token_file.write_text(matrix.synapse.log_in(matrix.bot))
        await eventually(lambda: matrix.said(matrix.here) == ["before", "meanwhile"], SECONDS)
        assert driver.service.health()["problems"] == []
    assert homeserver_asked(caplog) == 1
    assert matrix.token not in caplog.text


def homeserver_asked(caplog: pytest.LogCaptureFixture) -> int:
    """How often the log complained of the token."""
    return sum(record.levelno == logging.ERROR and "access token is refused" in record.getMessage() for record in caplog.records)


async def test_people_are_told_apart_and_mentioned_by_those_who_mean_them(tmp_path: Path, matrix: Matrix) -> None:
    async with serving(tmp_path, matrix) as driver:
        await driver.join("ann")
        await matrix.say("ann", "hello", event="1")
        await matrix.say("bea", "hello", event="2", name="Bea")
        await eventually(lambda: len(matrix.said(matrix.there)) == 2, SECONDS)
        assert {member.name for member in driver.service.members("tavern").values()} == {"ann", "ann-matrix", "Bea"}
        await driver.say("ann", "**Dear** @bea, @room @ann: <b>x</b> & [y](https://example.org/?a=1&b=%22)")
        await eventually(lambda: len(contents(matrix, matrix.here)) == 1, SECONDS)
        (content,) = contents(matrix, matrix.here)
        assert content["m.mentions"] == {"user_ids": ["@bea:localhost"]}
        assert content["formatted_body"] == (
            '<strong>ann:</strong> <strong>Dear</strong> <a href="https://matrix.to/#/@bea:localhost">@bea</a>, @\u2060room @ann: '
            '&lt;b&gt;x&lt;/b&gt; &amp; <a href="https://example.org/?a=1&amp;b=%22">y</a>'
        )
        await driver.say("ann", "Bea and owner are here")
        await eventually(lambda: len(contents(matrix, matrix.here)) == 2, SECONDS)
        assert contents(matrix, matrix.here)[1]["m.mentions"] == {}


async def test_texts_beyond_the_limits_are_refused_on_the_way_in_and_split_on_the_way_out(tmp_path: Path, matrix: Matrix) -> None:
    async with serving(tmp_path, matrix) as driver:
        await matrix.say("ann", "x" * 20_000, event="1")
        await matrix.say("ann", "hello", event="2")
        await eventually(lambda: matrix.said(matrix.there) == ["hello"], SECONDS)
        await driver.join("bob")
        long = '"&\n' * 1_000 + "\u20ac" * 10_000
        await driver.say("bob", long)
        await eventually(lambda: "".join(matrix.said(matrix.here)).replace("\n", "") == long.replace("\n", ""), SECONDS)


async def test_an_invitation_into_a_room_of_a_channel_is_accepted_and_no_other(tmp_path: Path, matrix: Matrix) -> None:
    ours, other = (matrix.synapse.make_room("ann", is_private=True) for _ in range(2))
    async with serving(tmp_path, matrix, f"matrix/{ours}") as driver:
        await driver.join("bob")
        await driver.say("bob", "for whoever lets us in")
        for room in (other, ours):
            matrix.synapse.ask("POST", f"rooms/{room}/invite", "owner", json={"user_id": matrix.bot})
        await eventually(lambda: [content["body"] for content in contents(matrix, ours)] == ["bob: for whoever lets us in"], SECONDS)
        matrix.synapse.say(ours, "owner", "welcome", event="1")
        await eventually(lambda: "welcome" in driver.recorder.texts(), SECONDS)
        joined = matrix.synapse.ask("GET", "joined_rooms", token=matrix.token)["joined_rooms"]
        assert other not in joined


async def test_buttons_are_choices_with_numbers_that_mean_what_their_reader_saw(tmp_path: Path, matrix: Matrix) -> None:
    channels = [{"id": "tavern", "rooms": [matrix.here]}]
    plugins = ["voting", *matrix.config()["plugins"]]
    options: dict[str, Any] = {"channels": channels, "plugins": plugins, "plugin_folders": [PLUGINS], "db_config": json_dicts(tmp_path / "data", "*")}

    def replies() -> list[str]:
        return [text for text in matrix.said(matrix.here) if not text.startswith("Answer")]

    def panel() -> str:
        return next((text for text in reversed(matrix.said(matrix.here)) if text.startswith("Answer")), "")

    async with running(tmp_path, **options):
        await matrix.say("ann", "!offer tea ale", event="1")
        tea_and_ale = "Answer !1, !2, ... to choose:\n!1 tea (0)\n!2 ale (0)\n!3 Another — !3 Which; Size (Small, Large)"
        await eventually(lambda: panel() == tea_and_ale, SECONDS)
        await matrix.say("ann", "!2", event="2")
        await eventually(lambda: replies() == ["ann voted for ale"] and "ale (1)" in panel(), SECONDS)
        await matrix.say("ann", "!3 mead; large", event="3")
        await eventually(lambda: replies()[1:] == ["ann wants Large mead"], SECONDS)
    await matrix.say("ann", "!1", event="4")
    for text in ("2", "1", "!important", "!9"):
        await matrix.say("ann", text, event=f"said {text}")
    async with running(tmp_path, **options) as driver:
        await eventually(lambda: replies()[2:] == ["ann voted for tea"], SECONDS)
        await eventually(lambda: "tea (1)" in panel(), SECONDS)
        await eventually(lambda: {"2", "1", "!important", "!9"} <= set(driver.recorder.texts()), SECONDS)
        await driver.say("matrix:@ann:localhost", "/offer")
        await eventually(lambda: panel() == "", SECONDS)


async def test_what_is_for_one_member_is_said_in_a_room_with_the_bot_alone(tmp_path: Path, matrix: Matrix) -> None:
    def direct_rooms() -> list[str]:
        joined: list[str] = matrix.synapse.ask("GET", "joined_rooms", token=matrix.token)["joined_rooms"]
        return [room for room in joined if room not in matrix.rooms]

    def is_invited(room: str) -> bool:
        found = matrix.synapse.ask("GET", f"rooms/{room}/messages", token=matrix.token, query={"dir": "b", "limit": "10"})["chunk"]
        return any(event["content"].get("membership") == "invite" for event in found)

    def told() -> list[str]:
        return matrix.shown(direct_rooms()[0], "ann")

    async with serving(tmp_path, matrix) as driver:
        await matrix.say("ann", "/nonsense", event="1")
        await eventually(lambda: len(direct_rooms()) == 1 and is_invited(direct_rooms()[0]), SECONDS)
        (room,) = direct_rooms()
        matrix.synapse.enter(room, "ann")
        await eventually(lambda: ["/nonsense" in text for text in told()] == [True], SECONDS)
        (member,) = driver.service.members("tavern")

        async def tell(ctx: Context) -> None:
            handles.append(ctx.tell(member, "for *you*"))
            ctx.tell(member, "gone")

        handles: list[Any] = []
        await driver.service.in_channel("tavern", tell)
        await eventually(lambda: told()[1:] == ["for *you*", "gone"], SECONDS)

        async def change(ctx: Context) -> None:
            ctx.messages.edit(handles[0].id, "for you alone")

        await driver.service.in_channel("tavern", change)
        await eventually(lambda: told()[1:] == ["for you alone", "gone"], SECONDS)
    async with serving(tmp_path, matrix):
        await matrix.say("ann", "/rubbish", event="2")
        await eventually(lambda: len(told()) == 4, SECONDS)
    assert len(direct_rooms()) == 1
    assert matrix.said(matrix.here) == matrix.said(matrix.there) == []


@pytest.mark.slow
async def test_a_kill_of_the_homeserver_loses_and_doubles_nothing_and_is_told_once(
    tmp_path: Path, matrix: Matrix, caplog: pytest.LogCaptureFixture
) -> None:
    expected = [f"line {number}" for number in range(12)]
    async with serving(tmp_path, matrix) as driver:
        await driver.join("bob")
        await matrix.say("ann", "before", event="before")
        await eventually(lambda: matrix.said(matrix.there) == ["before"], SECONDS)
        for text in expected:
            await driver.say("bob", text)
        with matrix.away():
            assert "cannot be reached" in await problem(driver)
        await matrix.say("ann", "after", event="after")
        await eventually(lambda: lines(matrix.said(matrix.here)) == lines(matrix.said(matrix.there)) == expected, SECONDS)
        await eventually(lambda: matrix.said(matrix.there).count("after") == 1, SECONDS)
        await eventually(lambda: driver.service.health()["problems"] == [], SECONDS)
    told = [record.getMessage() for record in caplog.records if record.name == status.__name__ and record.levelno >= logging.WARNING]
    assert len(told) == 1, told


async def test_answers_that_get_lost_lose_and_double_nothing(tmp_path: Path, matrix: Matrix) -> None:
    expected = [f"line {number}" for number in range(20)]
    async with CuttingProxy(matrix.synapse.port) as proxy:
        matrix.address = f"http://127.0.0.1:{proxy.port}"
        async with serving(tmp_path, matrix) as driver:
            await driver.join("bob")
            await eventually(lambda: matrix.shown(matrix.here) == matrix.shown(matrix.there) == ["bob joined"], SECONDS)
            proxy.chance = 0.3
            for number, text in enumerate(expected):
                await driver.say("bob", text)
                if number % 4 == 0:
                    await matrix.say("ann", f"said {number}", event=text)
            await eventually(lambda: lines(matrix.said(matrix.here)) == lines(matrix.said(matrix.there)) == expected, SECONDS)
            heard = [f"said {number}" for number in range(0, 20, 4)]
            await eventually(lambda: [text for text in matrix.said(matrix.there) if text.startswith("said")] == heard, SECONDS)
    assert proxy.cuts > 5


async def problem(driver: Driver) -> str:
    """What `/readyz` says, once it says something."""
    await eventually(lambda: driver.service.health()["problems"], SECONDS)
    return str(driver.service.health()["problems"])


def lines(texts: list[str]) -> list[str]:
    return [text for text in texts if text.startswith("line")]


async def test_a_room_is_heard_from_when_it_is_bound_until_it_is_left(tmp_path: Path, matrix: Matrix, caplog: pytest.LogCaptureFixture) -> None:
    room = Room("matrix", matrix.rooms[0])
    matrix.synapse.send(room.id, "owner", {"algorithm": "m.megolm.v1.aes-sha2"}, kind="m.room.encryption", event="")
    matrix.synapse.enter(matrix.rooms[1], "ann")
    async with serving(tmp_path, matrix, matrix.there) as driver:
        matrix.synapse.say(matrix.rooms[1], "ann", "elsewhere", event="0")
        await eventually(lambda: "elsewhere" in driver.recorder.texts(), SECONDS)
        await matrix.say("ann", "before", event="1")
        matrix.synapse.say(matrix.rooms[1], "ann", "meanwhile", event="2")
        await eventually(lambda: "meanwhile" in driver.recorder.texts(), SECONDS)
        await driver.service.bind("tavern", room)
        await matrix.say("ann", "within", event="3")
        await eventually(lambda: "within" in matrix.said(matrix.there), SECONDS)
        await driver.service.unbind("tavern", room)
        await matrix.say("ann", "after", event="4")
        matrix.synapse.say(matrix.rooms[1], "ann", "at last", event="5")
        await eventually(lambda: "at last" in driver.recorder.texts(), SECONDS)
        said = [text for text in driver.recorder.texts() if text != "ann joined"]
    assert said == ["elsewhere", "meanwhile", "within", "at last"]
    assert [record.getMessage() for record in caplog.records if "encrypted" in record.getMessage() and room.id in record.getMessage()]
