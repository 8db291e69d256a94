"""Tokens that are given out: what they open, which roles they carry, and how they are taken back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed

from mooring import ChannelService
from mooring.cli.main import build_app
from mooring.plugins.web.identity import Identities, TokenRefused
from mooring.plugins.web.token_files import TokenFiles
from tests.mooring.cli.test_channels import mooring
from tests.plugins.web.harness import gateway
from tests.process_for_tests import start, write_configs
from tests.waiting_for_tests import eventually

CHANNELS = ["tavern", {"id": "vault", "access": "token"}]


async def test_a_channel_with_token_access_takes_given_tokens_only(tmp_path: Path) -> None:
    _, token = Identities(TokenFiles(tmp_path / "gateway")).give("olga", {"vault": "owner"})
    async with gateway(tmp_path, channels=CHANNELS) as place:
        async with place.member("ann") as ann:
            assert [(each["channel_id"], each["open"]) for each in ann.welcome["channels"]] == [("tavern", True), ("vault", False)]
            assert (await ann.ask("join", {"channel_id": "vault"}))["body"]["code"] == "forbidden"
        async with place.returning(token, channel="vault") as olga:
            assert olga.welcome["name"] == "olga"
            characters = next(frame["body"]["items"] for frame in reversed(olga.frames) if frame["type"] == "characters")
            assert characters[0]["character_context"]["role"] == "owner"
            await olga.join("tavern")
            characters = next(frame["body"]["items"] for frame in reversed(olga.frames) if frame["type"] == "characters")
            assert {each["name"]: each["character_context"]["role"] for each in characters}["olga"] == "member"


async def test_a_revoked_token_ends_its_connection_and_opens_no_other(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    _, token = operator.give("olga", {})
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 0.4}}) as place:
        async with place.returning(token) as olga:
            revoking = asyncio.create_task(asyncio.to_thread(operator.revoke, "olga"))
            with pytest.raises(ConnectionClosed):
                while True:
                    await olga.ask("ping")
                    await asyncio.sleep(0.05)
            assert olga.socket.close_code == 1008
            assert len(await revoking) == 1
        async with place.connection() as back:
            assert (await back.hello(token=token))["body"]["message"] == "This token was revoked."


async def test_the_same_name_given_again_is_the_same_person(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path))
    first, earlier = operator.give("olga", {"*": "member"})
    second, token = operator.give("olga", {"*": "moderator"})
    assert first.member_id == second.member_id
    with pytest.raises(TokenRefused, match="was revoked"):
        Identities(TokenFiles(tmp_path)).check(earlier)
    identity = Identities(TokenFiles(tmp_path)).check(token)
    assert identity.role_in("anywhere") == "moderator"
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    assert token not in (tmp_path / "tokens.json").read_text()


async def test_a_weaker_token_takes_the_place_of_a_stronger_one_in_every_channel(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    _, strong = operator.give("olga", {"*": "owner"})
    async with gateway(tmp_path, channels=["tavern", "library"], web={"limits": {"idle_seconds": 0.4}}) as place:
        async with place.returning(strong) as olga:
            await olga.join("library")
            _, weak = await asyncio.to_thread(operator.give, "olga", {"tavern": "moderator"})
            with pytest.raises(ConnectionClosed):
                while True:
                    await olga.ask("ping")
                    await asyncio.sleep(0.05)
        async with place.returning(weak) as olga:
            await olga.join("library")
            member_id = operator.check(weak).member_id
            shown = {channel: place.service.members(channel)[member_id].character_context or {} for channel in ("tavern", "library")}
            roles = {channel: context["role"] for channel, context in shown.items()}
            assert roles == {"tavern": "moderator", "library": "member"}


async def test_who_was_revoked_is_put_out_though_somebody_came_in_with_a_new_token_first(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place:  # which looks once a second
        _, earlier = operator.give("olga", {"*": "owner"})
        async with place.returning(earlier) as old:
            _, later = operator.give("olga", {"*": "member"})
            async with place.returning(later):
                with pytest.raises(ConnectionClosed):
                    while True:
                        await old.ask("ping")
                        await asyncio.sleep(0.05)
                assert old.socket.close_code == 1008


async def test_a_token_that_has_ended_ends_its_connection_and_opens_no_other(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 0.4}}) as place:
        _, token = operator.give("olga", {"*": "moderator"}, seconds=3)
        async with place.returning(token) as olga:
            with pytest.raises(ConnectionClosed):
                while True:
                    await olga.ask("ping")
                    await asyncio.sleep(0.05)
            assert olga.socket.close_code == 1008
        async with place.connection() as back:
            assert (await back.hello(token=token))["body"]["message"] == "This token has ended. Ask the operator for another."


async def test_a_token_opens_the_door_in_the_moment_of_its_making(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    async with gateway(tmp_path) as place:  # which looks through the list every few seconds
        for number in range(5):
            _, token = operator.give(f"guest{number}", {})
            async with place.connection() as client:
                assert (await client.hello(token=token))["type"] == "welcome"


def test_a_token_is_good_at_once_and_nobody_makes_one_of_it(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path))
    identity, token = operator.give("olga", {"*": "member"}, seconds=1)
    assert operator.check(token) == identity
    payload, _, signature = token.rpartition(".")
    _, stronger = Identities(TokenFiles(tmp_path / "another")).give("olga", {"*": "owner"})
    cut = (payload, f"{payload}.", f".{signature}", token[:-2], "", "é.ü")
    for forged in (stronger, f"{stronger.rpartition('.')[0]}.{signature}", f"{token}.{token}", f"{payload}.{signature}A", *cut):
        with pytest.raises(TokenRefused, match="not made by this service"):
            operator.check(forged)


def test_the_command_line_gives_lists_and_revokes(tmp_path: Path) -> None:
    config = tmp_path / "service.json"
    web = {"name": "web", "config": {"data_dir": str(tmp_path / "keys")}}
    config.write_text(json.dumps({"channels": ["vault"], "plugins": ["help", web]}))

    def mooring(*arguments: str) -> Any:
        return CliRunner().invoke(build_app(ChannelService), ["token", *arguments, "--config", str(config)])

    made = mooring("create", "olga", "--role", "moderator", "--channel", "vault")
    identity = Identities(TokenFiles(tmp_path / "keys")).check(made.stdout.strip())
    assert (identity.name, identity.roles, identity.given) == ("olga", {"vault": "moderator"}, True)
    listed = mooring("list").stdout
    assert "olga  moderator in vault" in listed
    assert made.stdout.strip() not in listed
    assert mooring("create", "olga", "--role", "king").exit_code == 2
    assert mooring("create", "olga", "--valid", "soon").exit_code == 2
    assert mooring("create", "paul", "--valid", "30d").exit_code == 0
    assert re.search(r"paul  member in every channel  made \S+  good until 20", mooring("list").stdout)
    assert mooring("create", "two words").exit_code == 2
    assert identity.token_id in mooring("revoke", "olga").stdout
    assert "revoked 20" in mooring("list").stdout
    assert mooring("revoke", "olga").exit_code == 1
    with pytest.raises(TokenRefused):
        Identities(TokenFiles(tmp_path / "keys")).check(made.stdout.strip())


async def test_an_open_door_to_the_network_is_no_start(tmp_path: Path) -> None:
    options = [*write_configs(tmp_path), "--host", "0.0.0.0"]
    process = await start(tmp_path, *options)
    code, log = await process.end(0)
    assert (process.line, code) == ("", 1)
    assert "--allow-open" in log
    assert "Traceback" not in log
    process = await start(tmp_path, *options, "--allow-open")
    assert process.line.startswith("Mooring is at http://127.0.0.1:"), "0.0.0.0 is no address to go to"
    assert (await process.end())[0] == 0


def test_a_key_that_others_can_read_is_closed_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = Identities(TokenFiles(tmp_path)).token(Identities(TokenFiles(tmp_path)).guest("ann"))
    key = tmp_path / "signing.key"
    key.chmod(0o644)
    assert Identities(TokenFiles(tmp_path)).check(token).name == "ann"
    assert "could be read by others" in caplog.text
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    os.unlink(key)
    with pytest.raises(TokenRefused):
        Identities(TokenFiles(tmp_path)).check(token)


def test_tokens_that_are_given_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def give(giver: int) -> None:
        operator = Identities(TokenFiles(tmp_path))
        for number in range(10):
            operator.give(f"guest-{giver}-{number}", {})

    with ThreadPoolExecutor(4) as givers:
        list(givers.map(give, range(4)))
    assert len(Identities(TokenFiles(tmp_path)).given()) == 40
    assert sorted(file.name for file in tmp_path.iterdir()) == ["signing.key", "tokens.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


async def test_a_list_that_cannot_be_read_for_a_while_ends_no_revoking(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    operator, path = Identities(TokenFiles(tmp_path / "gateway")), tmp_path / "gateway" / "tokens.json"
    _, token = operator.give("olga", {})
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 0.4}}) as place, place.returning(token) as olga:
        good = path.read_bytes()
        for broken in (good[: len(good) // 2], b"5", b""):
            path.write_bytes(broken)
            while "cannot be seen at the moment" not in caplog.text:
                await olga.ask("ping")
                await asyncio.sleep(0.05)
            caplog.clear()
        path.write_bytes(good)
        revoking = asyncio.create_task(asyncio.to_thread(operator.revoke, "olga"))
        with pytest.raises(ConnectionClosed):
            while True:
                await olga.ask("ping")
                await asyncio.sleep(0.05)
        assert olga.socket.close_code == 1008
        await revoking


@pytest.mark.parametrize("content", ["5", "[]", "{", "", '{"a": 5}'])
def test_the_command_line_says_what_is_wrong_with_a_list(tmp_path: Path, content: str) -> None:
    config, path = tmp_path / "service.json", tmp_path / "keys" / "tokens.json"
    config.write_text(json.dumps({"plugins": ["help", {"name": "web", "config": {"data_dir": str(tmp_path / "keys")}}]}))
    Identities(TokenFiles(tmp_path / "keys")).give("olga", {})
    path.write_text(content)
    for arguments in (["list"], ["create", "bob"], ["revoke", "olga"]):
        done = CliRunner().invoke(build_app(ChannelService), ["token", *arguments, "--config", str(config)])
        assert (done.exit_code, "tokens.json is no list of tokens" in done.output) == (1, True), done.output
        assert isinstance(done.exception, SystemExit), "one line, and no traceback"
    assert path.read_text() == content


def test_the_command_line_says_that_a_key_is_too_short(tmp_path: Path) -> None:
    config = tmp_path / "service.json"
    config.write_text(json.dumps({"plugins": ["help", {"name": "web", "config": {"data_dir": str(tmp_path / "keys")}}]}))
    Identities(TokenFiles(tmp_path / "keys")).give("olga", {})
    (tmp_path / "keys" / "signing.key").write_bytes(b"short")
    done = CliRunner().invoke(build_app(ChannelService), ["token", "list", "--config", str(config)])
    assert (done.exit_code, "too short for a signing key" in done.output) == (1, True), done.output
    assert isinstance(done.exception, SystemExit)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12346)
    Identities(TokenFiles(tmp_path)).give("ann", {})
    assert {(file.stat().st_uid, file.stat().st_gid) for file in tmp_path.iterdir() if file.name != ".lock"} == {(12345, 12346)}


def test_the_command_line_makes_nothing_where_no_service_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (["create", "olga"], ["list"], ["revoke", "olga"], ["create", "olga", "--config", "nothing.json"]):
        ran = CliRunner().invoke(build_app(ChannelService), ["token", *line])
        assert ran.exit_code in {1, 2}
        assert "service.json" in ran.output or "nothing.json" in ran.output
    assert list(tmp_path.iterdir()) == []
    assert CliRunner().invoke(build_app(ChannelService), ["token", "create", "olga", "--data-dir", "keys"]).exit_code == 0
    assert (tmp_path / "keys" / "tokens.json").exists()


async def test_the_command_line_makes_no_token_for_a_channel_that_is_not_there(tmp_path: Path) -> None:
    options = write_configs(tmp_path)

    async def make(channel: str) -> tuple[int, str]:
        return await mooring(tmp_path, "token", "create", "olga", "--channel", channel, "--data-dir", "keys")

    assert (await mooring(tmp_path, "channel", "create", "club"))[0] == 0
    for is_up in (False, True):
        process = await start(tmp_path, *options) if is_up else None
        code, said = await make("tavrn")
        assert (code, said.strip()) == (1, "There is no channel tavrn here, and nothing was made. Did you mean tavern?")
        if not is_up:
            assert not (tmp_path / "keys").exists()
        for channel in ("tavern", "club"):
            assert (await make(channel))[0] == 0
        if process is not None:
            assert (await process.end())[0] == 0


async def test_a_name_that_was_given_or_is_reserved_is_no_guests(tmp_path: Path) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    operator.give("olga", {"*": "moderator"})
    async with gateway(tmp_path, reserved_names=["capsule"]) as place:
        for wanted, code in (("olga", "name_taken"), ("Olga", "name_taken"), ("0lga", "name_taken"), ("Capsule", "bad_name"), ("oleg", None)):
            async with place.connection() as client:
                answer = await client.hello(name=wanted)
                assert answer["body"].get("code") == code, wanted
        operator.revoke("olga")
        async with place.connection() as client:
            await client.hello_until_welcome("olga")


async def test_a_new_key_leaves_old_tokens_good_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = Identities(TokenFiles(tmp_path))
    _, given = operator.give("olga", {"*": "owner"})
    guest = operator.token(operator.guest("ann"))
    service = Identities(TokenFiles(tmp_path))
    before = service.changes
    operator.rotate(60)
    service.reload()
    assert service.changes == before + 1
    renewed = service.token(service.check(guest))
    assert renewed != guest
    assert service.check(given).name == "olga"
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    service.reload()
    assert service.changes == before + 2, "so that whoever is in with it is looked at"
    for old in (guest, given):
        with pytest.raises(TokenRefused, match="not made by this service"):
            service.check(old)
    assert service.check(renewed).name == "ann"


@pytest.mark.parametrize("kept", [0, 3600])
async def test_a_rotation_without_a_while_puts_everybody_out(tmp_path: Path, kept: int) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place, place.member("ann") as ann:
        await asyncio.to_thread(operator.rotate, kept)
        if kept:
            await eventually(lambda: place.service._secrets.hide(operator.secrets()[0]) == "[secret]")
            async with place.returning(ann.welcome["token"]) as back:
                assert back.welcome["token"] != ann.welcome["token"]
            assert (await ann.say("still here"))["body"]["ok"]
            await asyncio.to_thread(operator.rotate, 0)
        with pytest.raises(ConnectionClosed):
            while True:
                await ann.ask("ping")
                await asyncio.sleep(0.05)
        assert ann.socket.close_code == 1008
        async with place.connection() as client:
            assert (await client.hello(token=ann.welcome["token"]))["body"]["code"] == "bad_token"
        async with place.connection() as client:
            assert (await client.hello(name="bob"))["type"] == "welcome"
        for secret in operator.secrets():
            assert place.service._secrets.hide(f"what if {secret}") == "what if [secret]"


@pytest.mark.parametrize("content", ["5", "[]", "{", "", '{"key": 5}', '{"key": "c2hvcnQ="}', '{"a": ' * 60_000])
def test_a_key_file_that_holds_something_else_is_told_in_a_line(tmp_path: Path, content: str) -> None:
    config = tmp_path / "service.json"
    config.write_text(json.dumps({"plugins": ["help", {"name": "web", "config": {"data_dir": str(tmp_path / "keys")}}]}))
    Identities(TokenFiles(tmp_path / "keys")).give("olga", {})
    (tmp_path / "keys" / "signing.key").write_text(content)
    for line in (["list"], ["create", "bob"], ["rotate"]):
        done = CliRunner().invoke(build_app(ChannelService), ["token", *line, "--config", str(config)])
        assert (done.exit_code, "signing.key" in done.output) == (1, True), done.output
        assert isinstance(done.exception, SystemExit)
    assert (tmp_path / "keys" / "signing.key").read_text() == content


async def test_nobody_is_called_like_an_agent(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place:
        await place.service.create_agent("Innkeeper", "", "")
        for wanted in ("innkeeper", "Innkeeper", "lnnkeeper", "Inn-keeper"):
            async with place.connection() as client:
                assert (await client.hello(name=wanted))["body"]["code"] == "bad_name", wanted


async def test_a_failure_of_the_look_at_the_list_ends_no_revoking_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = Identities(TokenFiles(tmp_path / "gateway"))
    _, token = operator.give("olga", {})
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 4}}) as place, place.returning(token) as olga:
        failures = iter([MemoryError("no room")])
        reload = Identities.reload

        def fail_once(self: Identities) -> None:
            for error in failures:
                raise error
            reload(self)

        monkeypatch.setattr(Identities, "reload", fail_once)
        await eventually(lambda: "tokens and silent connections" in str(place.service.health()))
        await asyncio.to_thread(operator.revoke, "olga")
        with pytest.raises(ConnectionClosed):
            while True:
                await olga.ask("ping")
                await asyncio.sleep(0.05)
        assert olga.socket.close_code == 1008
