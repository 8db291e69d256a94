"""Tokens and members of several services on one Redis that have no folder in common."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from typer.testing import CliRunner, Result
from websockets.exceptions import ConnectionClosed

from mooring import ChannelService
from mooring.cli.main import build_app
from mooring.plugins.web.identity import Identities, TokenRefused
from mooring.plugins.web.token_files import TokenFiles
from mooring.plugins.web.token_store import SharedTokenStore, open_token_store
from storage import MoobiusStorage
from tests.plugins.web.harness import Client, Gateway, gateway
from tests.shared.ports_for_tests import start_valkey
from tests.waiting_for_tests import eventually, wait_for

pytestmark = pytest.mark.redis
CHANNELS = ["tavern", {"id": "vault", "access": "token"}]


@pytest.fixture
def port() -> Iterator[int]:
    server = start_valkey()
    yield int(server.port)
    server.terminate()


def dicts(port: int, number: int) -> list[dict[str, Any]]:
    """Services with different settings share no client, lock or cache, as if they were different processes."""
    settings = {"host": "127.0.0.1", "port": port, "timeout": 5.0 + number}
    kept = [{"implementation": "redis", "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]
    return [{"implementation": "null", "name": "scratch"}, *kept]


@asynccontextmanager
async def machines(root: Path, port: int, count: int = 2) -> AsyncIterator[list[Gateway]]:
    """Each with a folder of its own."""
    async with AsyncExitStack() as stack:
        every = [gateway(root / f"machine {number}", channels=CHANNELS, db_config=dicts(port, number)) for number in range(count)]
        yield [await stack.enter_async_context(each) for each in every]


def mooring_token(root: Path, port: int, *arguments: str) -> Result:
    """What the operator says on a third machine."""
    (root / "service.json").write_text(json.dumps({"channels": CHANNELS, "plugins": ["web"]}))
    (root / "redis.json").write_text(json.dumps(dicts(port, 99)))
    options = ["--config", str(root / "service.json"), "--db-config", str(root / "redis.json"), "--data-dir", str(root / "operator")]
    return CliRunner().invoke(build_app(ChannelService), ["token", *arguments, *options])


async def put_out(client: Client) -> int | None:
    """The code with which the service closes the connection."""
    with pytest.raises(ConnectionClosed):
        while True:
            await client.next()
    return client.socket.close_code


async def test_a_visitor_of_one_is_the_same_person_at_the_other(tmp_path: Path, port: int) -> None:
    async with machines(tmp_path, port) as (one, other):
        async with one.member("ann") as ann:
            await ann.say("hello")
            member_id, token = ann.welcome["member_id"], ann.welcome["token"]
        await eventually(lambda: member_id in other.service.members("tavern"))
        async with other.returning(token) as ann:
            assert (ann.welcome["name"], ann.welcome["member_id"]) == ("ann", member_id)
    assert not list(tmp_path.glob("machine */gateway")), "no key lies in a folder"


async def test_a_token_of_the_operator_opens_all_services_and_a_revocation_closes_them(tmp_path: Path, port: int) -> None:
    async with machines(tmp_path, port) as (one, other):
        made = await asyncio.to_thread(mooring_token, tmp_path, port, "create", "olga", "--role", "owner")
        assert (made.exit_code, "listed in the redis" in made.stderr) == (0, True)
        token = made.stdout.strip()
        for place in (one, other):
            await taken(place, token)
        async with one.returning(token, channel="vault") as here, other.returning(token, channel="vault") as there:
            listed = (await asyncio.to_thread(mooring_token, tmp_path, port, "list")).stdout
            assert "olga  owner in every channel" in listed
            assert token not in listed
            assert (await asyncio.to_thread(mooring_token, tmp_path, port, "revoke", "olga")).exit_code == 0
            codes = list(await asyncio.gather(put_out(here), put_out(there)))
            assert codes == [1008, 1008]
        async with other.connection() as back:
            assert (await back.hello(token=token))["body"]["message"] == "This token was revoked."


async def taken(place: Gateway, token: str) -> None:
    """Wait until the service knows the token, which takes it a second at most."""
    async with asyncio.timeout(10):
        while True:
            async with place.connection() as client:
                if (await client.hello(token=token))["type"] == "welcome":
                    return
            await asyncio.sleep(0.05)


async def test_who_comes_back_through_a_process_that_is_behind_sees_nothing_twice(tmp_path: Path, port: int) -> None:
    async with AsyncExitStack() as stack:
        one, other = await stack.enter_async_context(machines(tmp_path, port))
        ann = await stack.enter_async_context(one.member("ann"))
        await eventually(lambda: ann.welcome["member_id"] in other.service.members("tavern"))
        comings = [await stack.enter_async_context(other.connection()) for _ in range(5)]
        for client in comings:
            await client.hello(token=ann.welcome["token"])
        for number, client in enumerate(comings):
            await ann.say(f"word {number}")
            seen = (await ann.until(f"word {number}"))["body"]["number"]
            missed = await client.join(after=seen)
            assert (missed["mode"], missed["messages"]) == ("missed", [])


async def test_who_leaves_through_one_hears_nothing_more_at_the_other(tmp_path: Path, port: int) -> None:
    async with machines(tmp_path, port) as (one, other), one.member("ann") as ann, other.member("bob") as bob:
        member_id = ann.welcome["member_id"]
        await eventually(lambda: member_id in other.service.members("tavern"))
        async with other.returning(ann.welcome["token"]) as window:
            await ann.ask("leave", {"channel_id": "tavern"})
            await bob.until("ann left")
            while not _takes_out(await bob.next(), member_id):
                pass
            await bob.say("she is gone")
            assert (await window.say("am I?"))["body"]["code"] == "not_joined"
            assert "she is gone" not in window.texts()


def _takes_out(frame: dict[str, Any], member_id: str) -> bool:
    return frame["type"] == "character_changes" and member_id in frame["body"]["removed"]


def test_tokens_that_are_given_at_the_same_time_are_all_kept(tmp_path: Path, port: int) -> None:
    stores = [open_token_store(tmp_path, "1", dicts(port, number)) for number in range(3)]
    operators = [Identities(keeper) for keeper in stores]
    tokens = [operators[number % 3].give(f"member{number}", {})[1] for number in range(12)]
    operators[0].revoke("member11")
    late = Identities(open_token_store(tmp_path, "1", dicts(port, 9)))
    assert [late.check(token).name for token in tokens[:11]] == [f"member{number}" for number in range(11)]
    with pytest.raises(TokenRefused, match="revoked"):
        late.check(tokens[11])
    for each in (*operators, late):
        each.close()


def test_a_service_that_moves_to_redis_takes_its_tokens_along(tmp_path: Path, port: int, caplog: pytest.LogCaptureFixture) -> None:
    alone = Identities(TokenFiles(tmp_path))
    _, good = alone.give("olga", {})
    _, bad = alone.give("oleg", {})
    guest = alone.token(alone.guest("ann"))
    alone.revoke("oleg")
    caplog.set_level(logging.DEBUG)
    moved = Identities(open_token_store(tmp_path, "1", dicts(port, 0)))
    assert [moved.check(token).name for token in (good, guest)] == ["olga", "ann"]
    with pytest.raises(TokenRefused, match="revoked"):
        moved.check(bad)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["signing.key.moved", "tokens.json.moved"]
    (secret,) = moved.secrets()
    assert "2 tokens" in caplog.text
    assert secret not in caplog.text
    moved.close()


def test_a_migration_takes_tokens_from_redis_to_redis_and_the_key_into_no_folder(tmp_path: Path, port: int) -> None:
    operator = Identities(open_token_store(tmp_path, "1", dicts(port, 0)))
    _, token = operator.give("olga", {})
    elsewhere = [{**each, "settings": {**each.get("settings", {}), "db": 1}} for each in dicts(port, 1)]
    folder = [{**each, "implementation": "json", "settings": {"root_dir": str(tmp_path / "json")}} for each in dicts(port, 1)]
    (tmp_path / "service.json").write_text(json.dumps({"channels": CHANNELS, "plugins": []}))
    for name, config in {"old": dicts(port, 2), "new": elsewhere, "folder": folder}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
    for target in ("new", "folder"):
        line = ["--from", str(tmp_path / "old.json"), "--to", str(tmp_path / f"{target}.json"), "--config", str(tmp_path / "service.json"), "--yes"]
        done = CliRunner().invoke(build_app(ChannelService), ["migrate", *line])
        assert done.exit_code == 0, done.output
    moved = Identities(open_token_store(tmp_path, "1", elsewhere))
    assert moved.check(token).name == "olga"
    (secret,) = moved.secrets()
    written = [file.read_text() for file in (tmp_path / "json").rglob("*") if file.is_file()]
    assert not any(secret in text for text in written)
    for each in (operator, moved):
        each.close()


async def test_the_key_is_shown_in_no_log(tmp_path: Path, port: int) -> None:
    async with machines(tmp_path, port, 1) as (one,):
        with MoobiusStorage("1", "gateway", dicts(port, 5), variant="plugin") as storage:
            key = storage.system("signing")["key"]
        assert one.service._secrets.hide(f"what if {key}") == "what if [secret]"


def test_a_redis_that_is_away_is_one_line(tmp_path: Path) -> None:
    result = mooring_token(tmp_path, 1, "create", "olga")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "127.0.0.1:1" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", [b"5", b"[]", b'"x"', b"{", b"[" * 60_000])
async def test_a_value_that_is_none_costs_no_other_and_a_signing_key_is_told(tmp_path: Path, port: int, content: bytes) -> None:
    async with gateway(tmp_path, channels=CHANNELS, db_config=dicts(port, 0)) as place, place.member("ann") as ann:
        await ann.say("hello")
        await place.service.create_channel("The Club", channel_id="club")
    with Redis(port=port) as server:
        hashes = [key for key in server.scan_iter("*", _type="hash") if not key.endswith((b"$version", b"_signing"))]
        assert len(hashes) >= 5
        for key in hashes:
            for field in [*list(server.hkeys(key))[:1], b"zz"]:
                server.hset(key, field, content)
        async with gateway(tmp_path, channels=CHANNELS, db_config=dicts(port, 1)) as place, place.member("bob") as bob:
            assert (await bob.say("hello"))["body"]["ok"]
        (keys,) = server.scan_iter("*_signing")
        server.hset(keys, "key", content)
    told = await asyncio.to_thread(mooring_token, tmp_path, port, "list")
    assert (told.exit_code, "holds no signing keys" in told.stderr) == (1, True), told.stderr
    assert isinstance(told.exception, SystemExit)


async def test_a_guest_of_one_becomes_more_at_the_other(tmp_path: Path, port: int) -> None:
    async with machines(tmp_path, port) as (one, other), one.member("ann") as ann:
        made = await asyncio.to_thread(mooring_token, tmp_path, port, "create", "olga", "--role", "owner")
        token, member_id = made.stdout.strip(), ann.welcome["member_id"]
        await eventually(lambda: member_id in other.service.members("tavern"))
        async with other.connection() as more:
            answer = await more.hello(token=token, guest=ann.welcome["token"])
            assert (answer["body"].get("member_id"), answer["body"].get("name")) == (member_id, "olga"), answer
            await more.join("vault")
            assert await put_out(ann) == 1012
            async with one.connection() as back:
                assert (await back.hello(token=token))["body"]["member_id"] == member_id
        await eventually(lambda: role_of(one, member_id) == "owner")
        assert (await asyncio.to_thread(mooring_token, tmp_path, port, "revoke", "olga")).exit_code == 0
        await eventually(lambda: (role_of(one, member_id), role_of(other, member_id)) == ("member", "member"))


def role_of(place: Gateway, member_id: str) -> str:
    return str((place.service.members("tavern")[member_id].character_context or {})["role"])


async def test_a_token_is_good_at_once_where_the_list_arrives_late(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SharedTokenStore, "follow", lambda self: None)  # what others change arrives never, which is as late as can be
    async with machines(tmp_path, port, 1) as (place,), place.member("ann") as ann:
        for name, hello in {"olga": {}, "oleg": {"guest": ann.welcome["token"]}}.items():
            made = await asyncio.to_thread(mooring_token, tmp_path, port, "create", name)
            async with place.connection() as client:
                answer = await client.hello(token=made.stdout.strip(), **hello)
                assert answer["body"].get("name") == name, answer


def test_a_new_key_holds_for_all_processes(tmp_path: Path, port: int) -> None:
    services = [Identities(open_token_store(tmp_path, "1", dicts(port, number), follow=True)) for number in range(2)]
    guest = services[0].token(services[0].guest("ann"))
    for kept in ("1h", "0s"):
        assert mooring_token(tmp_path, port, "rotate", "--keep", kept).exit_code == 0
        newest = [each.secrets()[0] for each in services]
        for each in services:
            wait_for(partial(_is_newer, each, newest))
        if kept == "1h":
            guest = services[0].token(services[1].check(guest))
    for each in services:
        with pytest.raises(TokenRefused, match="not made by this service"):
            each.check(guest)
        each.close()


def _is_newer(service: Identities, keys: list[str]) -> bool:
    service.reload()
    return service.secrets()[0] not in keys
