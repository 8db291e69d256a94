"""The engine contract, tried on every engine: ours, and a third party's that has only the four methods."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from storage.database_interface import DatabaseInterface, DomainChanges, Origin
from storage.encoding import codec
from storage.errors import CommitFailed
from storage.null.database import NullDatabase
from tests.shared.documented_user import PLACES, Place
from tests.storage.engines_for_tests import FourMethods
from tests.storage.values_for_tests import EXAMPLES, any_text, assert_same, values

NOBODY = Origin()
HEALTH, MANA = "service_1.channel_tavern.health_bars", "service_1.channel_tavern.mana_bars"

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../x",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a.b",
    "a..b",
    "a%2Eb",
    "a%2eb",
    "a b",
    "a b ",
    "ann",
    "Ann",
    "ANN",
    "CON",
    "con",
    "con.json",
    "NUL",
    "LPT1",
    "a\nb",
    "a\r\nb",
    "line\u2028separator",
    "nul\0byte",
    "nul",
    "tab\t",
    '"quoted"',
    "{brace}",
    "}",
    "{",
    "a}:b",
    "$set",
    "$$set",
    "$mooring",
    "$checks",
    "$version",
    "$",
    "%",
    "$%41",
    "*",
    "?",
    "~",
    "a~b",
    "x" * 300,
    "x" * 299 + "y",
    "🐉",
    "é",
    "e\u0301",
    "\ud800",
    "\udfff",
    "\ud83d\ude00",
    "\U0001f600",
    "\uffff",
]
"""Keys, and parts of domains, that a careless engine mixes up, loses, or takes for a path."""

DOMAINS = [
    *HOSTILE,
    *(f"service_{part}.channel_tavern.health_bars" for part in ("1", "2", "A", "a", "../x", "CON", "\ud800", "{", "}")),
    *(f"service_1.channel_{part}.health_bars" for part in ("Tavern", "tavern ", "tavern/x", "", "{tavern}", "🐉")),
    *(f"service_1.channel_tavern.{part}" for part in ("mana_bars", "Health_bars", "health_bars.x", "health_bars%2Ex", "", "$version", "x}")),
    "service_1.channel_tavern",
    "service_1",
]


class World:
    """One place that outlives engine objects, and the way to open engines on it."""

    def __init__(self, opener: Callable[[str], DatabaseInterface]) -> None:
        self._opener = opener
        self._opened: list[DatabaseInterface] = []

    def open(self, domain: str = HEALTH) -> DatabaseInterface:
        engine = self._opener(domain)
        self._opened.append(engine)
        return engine

    def close_all(self) -> None:
        while self._opened:
            self._opened.pop().close()


@pytest.fixture(
    params=[
        "json",
        pytest.param("redis", marks=pytest.mark.redis),
        *(pytest.param(place, marks=pytest.mark.redis) for place in PLACES),
        "four methods",
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Engines that keep what they are given."""
    opened = World(_opener(request, tmp_path))
    yield opened
    opened.close_all()


def _opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], DatabaseInterface]:
    if request.param == "json":
        from storage.json.database import JSONDatabase

        return lambda domain: JSONDatabase(domain, root_dir=str(tmp_path / "root"))
    if request.param == "redis":
        from storage.redis.database import RedisDatabase

        # The suite's domains must keep their shape, so a run of its own is a database number of its own.
        port, db = request.getfixturevalue("redis_port"), 1
        _flush(port, db)
        return lambda domain: RedisDatabase(domain, port=port, db=db)
    if request.param in PLACES:
        from storage.redis.database import RedisDatabase

        place: Place = request.getfixturevalue("documented_places")(request.param)
        place.flush()
        return lambda domain: RedisDatabase(domain, **place.settings)
    shelf: dict[str, dict[str, Any]] = {}
    return lambda domain: FourMethods(domain, shelf=shelf)


def _flush(port: int, db: int) -> None:
    import redis

    with redis.Redis(port=port, db=db) as client:
        client.flushdb()


def test_a_value_is_set_read_replaced_and_deleted(world: World) -> None:
    engine = world.open()
    assert engine.set_value("ann", 80) == (True, "ann")
    assert engine.get_value("ann") == (True, 80)
    assert engine.set_value("ann", {"hp": 81}) == (True, "ann")
    assert engine.get_value("ann") == (True, {"hp": 81})
    assert list(engine.all_keys()) == ["ann"]
    assert engine.delete_key("ann") == (True, "ann")
    assert list(engine.all_keys()) == []
    assert engine.get_value("ann")[0] is False


def test_a_miss_is_told_and_writes_nothing(world: World) -> None:
    engine = world.open()
    for succeeded, message in (engine.get_value("nobody"), engine.delete_key("nobody")):
        assert succeeded is False
        assert "nobody" in message
    assert engine.load_one("nobody") is None
    assert list(engine.all_keys()) == []


@pytest.mark.parametrize("key", [5, None, True, 1.5, b"ann", ("ann",), ["ann"]], ids=repr)
def test_keys_that_are_no_strings_are_refused(world: World, key: Any) -> None:
    engine = world.open()
    for succeeded, message in (engine.set_value(key, 1), engine.get_value(key), engine.delete_key(key)):
        assert succeeded is False
        assert isinstance(message, str)
    assert list(engine.all_keys()) == []


def test_no_two_hostile_keys_meet_and_all_survive_a_restart(world: World) -> None:
    engine = world.open()
    for number, key in enumerate(HOSTILE):
        assert engine.set_value(key, number) == (True, key)
    world.close_all()
    engine = world.open()
    assert sorted(engine.all_keys()) == sorted(HOSTILE)
    assert sorted(engine.load_all()) == sorted(HOSTILE)
    for number, key in enumerate(HOSTILE):
        assert engine.get_value(key) == (True, number)
        assert engine.delete_key(key) == (True, key)
        assert engine.get_value(key)[0] is False
    assert list(engine.all_keys()) == []


def test_no_two_hostile_domains_meet_and_all_survive_a_restart(world: World) -> None:
    for number, domain in enumerate(DOMAINS):
        assert world.open(domain).set_value("number", number) == (True, "number")
    for number, domain in enumerate(DOMAINS):
        assert world.open(domain).get_value("number") == (True, number)
    world.close_all()
    for number, domain in enumerate(DOMAINS):
        engine = world.open(domain)
        assert engine.get_value("number") == (True, number), domain
        assert list(engine.all_keys()) == ["number"]
        assert engine.domain == domain


@pytest.mark.parametrize("world", ["json"], indirect=True)
def test_no_domain_names_a_path_outside_of_the_root(world: World, tmp_path: Path) -> None:
    for domain in DOMAINS:
        assert world.open(domain).set_value("../key", 1) == (True, "../key")
    world.close_all()
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    for path in (tmp_path / "root").rglob("*"):
        assert path.name.isascii()
        assert path.name == path.name.lower()
        assert len(path.name) <= 100
        assert path.name.split(".")[0] not in {"con", "nul", "lpt1", ""}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_values_come_back_exactly_also_after_a_restart(world: World, kind: str) -> None:
    engine = world.open()
    assert engine.set_value(kind, EXAMPLES[kind]) == (True, kind)
    assert_same(engine.get_value(kind)[1], EXAMPLES[kind])
    world.close_all()
    assert_same(world.open().get_value(kind)[1], EXAMPLES[kind])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(any_text, values)
def test_any_value_comes_back_under_any_key(world: World, key: str, value: Any) -> None:
    engine = world.open(f"domain {uuid.uuid4()}")
    assert engine.set_value(key, value) == (True, key)
    assert_same(engine.get_value(key)[1], value)
    assert list(engine.all_keys()) == [key]
    assert engine.load_all() == {key: codec.encode(value)}
    world.close_all()


def test_values_are_copied_on_the_way_in_and_out(world: World) -> None:
    engine = world.open()
    handed_in = {"items": [1]}
    engine.set_value("ann", handed_in)
    handed_in["items"].append(2)
    engine.get_value("ann")[1]["items"].append(3)
    assert engine.get_value("ann") == (True, {"items": [1]})


@pytest.mark.parametrize("world", ["json", pytest.param("redis", marks=pytest.mark.redis)], indirect=True)
@pytest.mark.parametrize("value", [float("nan"), {1: 2}, object()], ids=["nan", "number as dict key", "object"])
def test_a_refused_value_is_told_with_its_path_and_the_old_one_stays(world: World, value: Any) -> None:
    engine = world.open()
    engine.set_value("ann", 80)
    succeeded, message = engine.set_value("ann", {"items": [0, value]})
    assert succeeded is False
    assert '["items"][1]' in message
    assert engine.get_value("ann") == (True, 80)
    assert engine.set_value("bob", value)[0] is False
    assert list(engine.all_keys()) == ["ann"]


def test_the_list_of_keys_stays_as_it_is_while_the_domain_changes(world: World) -> None:
    engine = world.open()
    for key in "abc":
        engine.set_value(key, 1)
    seen = []
    for key in engine.all_keys():
        seen.append(key)
        engine.delete_key(key)
        engine.set_value(f"new {key}", 1)
    assert sorted(seen) == ["a", "b", "c"]


def test_two_objects_on_one_domain_see_each_other(world: World) -> None:
    one, other = world.open(), world.open()
    one.set_value("ann", 80)
    assert other.get_value("ann") == (True, 80)
    other.delete_key("ann")
    assert one.get_value("ann")[0] is False
    other.set_value("bob", 1)
    other.close()
    assert one.get_value("bob") == (True, 1)
    assert one.set_value("bob", 2) == (True, "bob")


def test_loading_gives_every_key_with_its_encoded_value(world: World) -> None:
    engine = world.open()
    for kind, value in EXAMPLES.items():
        engine.set_value(kind, value)
    loaded = engine.load_all()
    assert sorted(loaded) == sorted(EXAMPLES)
    for kind, encoded in loaded.items():
        assert_same(codec.decode(encoded), EXAMPLES[kind])
        one = engine.load_one(kind)
        assert one is not None
        assert bytes(one) == bytes(encoded) == codec.encode(EXAMPLES[kind])
    assert engine.report == []


def test_engines_of_one_group_commit_together(world: World) -> None:
    health, mana = world.open(HEALTH), world.open(MANA)
    health.set_value("old", 1)
    batch = [DomainChanges(health, [("ann", b"80"), ("old", None), ("bob", b'{"hp":3}')]), DomainChanges(mana, [("ann", b"5")])]
    health.commit_batch(batch, Origin(member="ann", event="e1"), sync=True)
    world.close_all()
    health, mana = world.open(HEALTH), world.open(MANA)
    assert sorted(health.all_keys()) == ["ann", "bob"]
    assert health.get_value("bob") == (True, {"hp": 3})
    assert mana.get_value("ann") == (True, 5)


async def test_commits_can_be_awaited(world: World) -> None:
    engine = world.open()
    await engine.commit_batch_async([DomainChanges(engine, [("ann", b"80")])], NOBODY, sync=True)
    assert engine.get_value("ann") == (True, 80)


@pytest.mark.parametrize("world", ["json", pytest.param("redis", marks=pytest.mark.redis)], indirect=True)
def test_the_version_counts_the_commits_to_the_domain(world: World) -> None:
    health, same, mana = world.open(HEALTH), world.open(HEALTH), world.open(MANA)
    assert health.group() == same.group() == mana.group()
    assert health.lock is same.lock
    assert health.lock is not mana.lock
    before, mana_before = health.version, mana.version
    health.set_value("ann", 80)
    health.commit_batch([DomainChanges(health, [("ann", b"1"), ("bob", b"2")])], NOBODY, sync=False)
    assert health.version == same.version == before + 2
    health.get_value("ann")
    health.load_all()
    assert (health.version, mana.version) == (before + 2, mana_before)


@pytest.mark.parametrize("world", ["json", pytest.param("redis", marks=pytest.mark.redis)], indirect=True)
def test_an_engine_tells_how_much_room_it_takes(world: World) -> None:
    health, mana = world.open(HEALTH), world.open(MANA)
    assert (health.size(), mana.size()) == (0, 0)
    shared = health.shared_size() or 0
    health.set_value("ann", "x" * 10_000)
    assert (health.shared_size() or 0) > shared
    assert health.shared_size() == mana.shared_size()
    world.close_all()
    health, mana = world.open(HEALTH), world.open(MANA)
    assert (health.size() or 0) > 10_000
    assert mana.size() == 0


def test_an_engine_of_four_methods_does_not_know_its_size() -> None:
    engine = FourMethods(HEALTH)
    assert (engine.size(), engine.shared_size()) == (None, None)


@pytest.mark.parametrize("world", ["json", pytest.param("redis", marks=pytest.mark.redis)], indirect=True)
async def test_a_closed_engine_says_so(world: World) -> None:
    engine = world.open()
    engine.set_value("ann", 80)
    engine.close()
    engine.close()
    for succeeded, message in (engine.get_value("ann"), engine.set_value("ann", 1), engine.delete_key("ann")):
        assert succeeded is False
        assert "closed" in message
    assert world.open().get_value("ann") == (True, 80)


def test_a_commit_of_the_four_methods_that_is_refused_halfway_is_taken_back() -> None:
    health, mana = FourMethods(HEALTH), FourMethods(MANA)
    health.set_value("ann", 80)
    mana.broken.add("ann")
    batch = [DomainChanges(health, [("ann", b"1"), ("bob", b"2")]), DomainChanges(mana, [("ann", b"3")])]
    with pytest.raises(CommitFailed, match="nothing was changed"):
        health.commit_batch(batch, NOBODY, sync=True)
    assert health.load_all() == {"ann": b"80"}
    assert mana.load_all() == {}


@pytest.mark.parametrize("kind", ["json", "redis", "null"])
def test_settings_that_an_engine_has_no_use_for_are_logged_without_their_values(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unused: dict[str, Any] = {"colour": "secret red", "size": 3}
    with caplog.at_level(logging.INFO, logger="storage"):
        _with_settings(kind, tmp_path, unused).close()
    [record] = [record for record in caplog.records if "colour" in record.getMessage()]
    assert record.levelno == logging.INFO
    assert "size" in record.getMessage()
    assert "secret red" not in caplog.text


def _with_settings(kind: str, tmp_path: Path, unused: dict[str, Any]) -> DatabaseInterface:
    if kind == "json":
        from storage.json.database import JSONDatabase

        return JSONDatabase(HEALTH, root_dir=str(tmp_path), **unused)
    if kind == "redis":
        from storage.redis.database import RedisDatabase

        return RedisDatabase(HEALTH, **unused)
    return NullDatabase(HEALTH, **unused)


def test_the_documented_example_gives_a_root_dir_to_redis(caplog: pytest.LogCaptureFixture) -> None:
    from storage.redis.database import RedisDatabase

    with caplog.at_level(logging.INFO, logger="storage"):
        RedisDatabase(HEALTH, root_dir="json_db").close()
    assert "root_dir" in caplog.text
